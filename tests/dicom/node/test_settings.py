from __future__ import annotations

import re

import pytest

from bonescan.dicom.node.settings import Limits, NodeSettings, Right, node_settings, read_node_settings
from bonescan.errors import InvalidValue, UnreadableInput

WHOLE = """
[dicom]
ae_title = "BONES"
port = 104

[dicom.limits]
associations = 8
idle_s = 30

[dicom.peers.camera]
ae_title = "SYMBIA1"
may = ["echo", "store"]

[dicom.peers.pacs]
ae_title = "PACS"
host = "pacs.example"
port = 11112
may = ["echo", "find", "move", "get"]
results = true
tls = true

[dicom.tls]
certificate = "node.crt"
key = "node.key"

[workstation]
port = 8080
"""


def test_settings_are_read_from_a_file(tmp_path):
    path = tmp_path / "bonescan.toml"
    path.write_text(WHOLE)
    settings = read_node_settings(path)
    assert (settings.ae_title, settings.host, settings.port) == ("BONES", "127.0.0.1", 104)
    assert settings.limits == Limits(associations=8, idle_s=30)
    camera, pacs = settings.peers
    assert (camera.may, camera.reachable, camera.results) == ({Right.ECHO, Right.STORE}, False, False)
    assert (pacs.host, pacs.port, pacs.results, pacs.tls) == ("pacs.example", 11112, True, True)
    assert settings.tls.certificate == tmp_path / "node.crt"
    assert settings.peer("PACS") is pacs
    assert settings.peer("pacs") is None


def test_without_a_table_only_this_machine_is_listened_to_and_nobody_may_call(tmp_path):
    path = tmp_path / "bonescan.toml"
    path.write_text("")
    assert read_node_settings(path) == NodeSettings(host="127.0.0.1", peers=())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"ae_tittle": "X"}, "no setting ae_tittle in [dicom], perhaps ae_title is meant"),
        ({"peer": {}}, "no setting peer in [dicom], perhaps peers is meant"),
        ({"peers": {"a": {"ae_title": "A", "hots": "pacs"}}}, "in [dicom.peers.a], perhaps host is meant"),
        ({"limits": {"idle": 3}}, "no setting idle in [dicom.limits], perhaps idle_s is meant"),
        ({"tls": {"cert": "x"}}, "no setting cert in [dicom.tls]"),
        ({"port": "104"}, "dicom.port must be int"),
        ({"port": True}, "dicom.port must be int"),
        ({"port": 70000}, "between 0 and 65535"),
        ({"ae_title": "SEVENTEEN LETTERS"}, "1 to 16 characters"),
        ({"ae_title": "BACK\\SLASH"}, "1 to 16 characters"),
        ({"peers": {"a": {}}}, "dicom.peers.a lack something"),
        ({"peers": {"a": "PACS"}}, "dicom.peers.a must be a table"),
        ({"peers": {"a": {"ae_title": "A", "may": ["delete"]}}}, "dicom.peers.a.may is a list of echo, store"),
        ({"peers": {"a": {"ae_title": "A", "may": "store"}}}, "dicom.peers.a.may is a list of echo, store"),
        ({"peers": {"a": {"ae_title": "A"}, "b": {"ae_title": "A"}}}, "same AE title"),
        ({"peers": {"a": {"ae_title": "A", "results": True}}}, "no host and port"),
        ({"peers": {"a": {"ae_title": "A", "tls": True}}}, "no certificate"),
        ({"limits": {"idle_s": 0}}, "idle_s must be above zero"),
        ({"limits": {"pdu_bytes": 100}}, "between 4096 and"),
        ({"tls": {"certificate": "x"}}, "dicom.tls lack something"),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence(table, sentence):
    with pytest.raises(InvalidValue, match=re.escape(sentence)):
        node_settings(table)


@pytest.mark.parametrize("content", [b"[dicom", b"\xff\xfe", b"a = " + b"[" * 10_000])
def test_a_file_that_is_not_toml_is_unreadable(tmp_path, content):
    path = tmp_path / "bonescan.toml"
    path.write_bytes(content)
    with pytest.raises(UnreadableInput):
        read_node_settings(path)
    with pytest.raises(UnreadableInput):
        read_node_settings(tmp_path / "missing.toml")


def test_what_is_no_table_is_told(tmp_path):
    path = tmp_path / "bonescan.toml"
    path.write_text("dicom = 3")
    with pytest.raises(InvalidValue, match="dicom must be a table"):
        read_node_settings(path)


def test_certificates_that_are_missing_are_told(tmp_path):
    tls = node_settings({"tls": {"certificate": "a", "key": "b"}}, folder=tmp_path).tls
    with pytest.raises(UnreadableInput, match="TLS certificate"):
        tls.accepting()
