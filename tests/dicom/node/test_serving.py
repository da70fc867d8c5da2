from __future__ import annotations

import logging
import socket
import time

import pytest
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom import build_context
from tests.dicom.node.conftest import Running
from tests.dicom.node.shelves import an_object

from bonescan.dicom.node.contexts import FIND_MODELS, MOVE_MODELS, VERIFICATION
from bonescan.dicom.node.sending import Outcome, echo, send
from bonescan.dicom.node.serving import serve
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer, Right
from bonescan.errors import OutputFailed

AS_CAMERA = NodeSettings(ae_title="CAMERA")


def rejection(running: Running, title: str, called: str) -> tuple[int, int, int] | None:
    """Result, source and reason with which an association is rejected; None where it is not."""
    with running.called([build_context(VERIFICATION)], title) as association:
        if association.is_established:
            return None
    running = Running(running.node, running.shelf, NodeSettings(ae_title=called), running.spool)
    with running.called([build_context(VERIFICATION)], title) as association:
        answer = association.acceptor.primitive
        return answer.result, answer.result_source, answer.diagnostic


def test_a_known_peer_gets_an_echo_and_others_are_turned_away(start):
    running = start()
    assert echo(running.as_peer, AS_CAMERA)
    # PS3.8 table 9-21: rejected permanently by the user: caller (3) or called (7) not recognised
    assert rejection(running, "STRANGER", "BONESCAN") == (1, 1, 3)
    assert rejection(running, "camera", "BONESCAN") == (1, 1, 3)
    with running.called([build_context(VERIFICATION)]) as association:
        assert association.is_established
    wrong = Running(running.node, running.shelf, NodeSettings(ae_title="OTHER"), running.spool)
    with wrong.called([build_context(VERIFICATION)]) as association:
        assert (association.is_rejected, association.acceptor.primitive.diagnostic) == (True, 7)


def test_without_peers_nobody_may_call(start):
    running = start(Peer(ae_title="NOBODY"))
    assert not echo(running.as_peer, AS_CAMERA)


def test_a_known_title_from_another_address_is_turned_away(start):
    running = start(Peer(ae_title="CAMERA", host="192.0.2.1"))  # an address of documentation, nobody's own
    assert rejection(running, "CAMERA", "BONESCAN") == (1, 1, 3)


def test_a_peer_is_offered_only_what_it_may_do(start):
    running = start(Peer(ae_title="CAMERA", may=frozenset({Right.FIND})))
    asked = [
        VERIFICATION,
        NuclearMedicineImageStorage,
        FIND_MODELS[0],
        MOVE_MODELS[0],
        "1.2.3.4.5",
    ]
    with running.called([build_context(uid) for uid in asked]) as association:
        assert [context.abstract_syntax for context in association.accepted_contexts] == [asked[2]]


def test_who_may_only_get_may_not_store(start, files):
    running = start(Peer(ae_title="CAMERA", may=frozenset({Right.GET})))
    (sent,) = send(files(an_object()), running.as_peer, AS_CAMERA)
    assert sent.outcome is Outcome.REFUSED
    assert running.shelf.given == []


def test_one_association_more_than_the_limit_is_rejected_for_now_and_accepted_later(start):
    running = start(limits=Limits(associations=2, opening_s=5, idle_s=20))
    contexts = [build_context(VERIFICATION)]
    with running.called(contexts) as first, running.called(contexts):
        with running.called(contexts) as third:
            answer = third.acceptor.primitive
            # rejected transiently, by the presentation layer's provider: local limit exceeded
            assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
        assert first.send_c_echo().Status == 0
    # a released association has ended for its peer a moment before it has for the node
    assert any(echo(running.as_peer, AS_CAMERA) or time.sleep(0.05) for _ in range(100))


def test_the_log_tells_what_happened_and_not_to_whom(start, files, caplog):
    running = start()
    one = an_object("Secret^Name", PatientID="ID-4711", AccessionNumber="ACC-99")
    with caplog.at_level(logging.DEBUG):
        send(files(one), running.as_peer, AS_CAMERA)
        with running.called([build_context(VERIFICATION)], "BAD LINE=1") as association:
            assert not association.is_established
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("stored peer=CAMERA object=") and "status=0000" in line for line in lines)
    assert any(line.startswith("rejected calling=") for line in lines)
    for secret in ("Secret", "ID-4711", "ACC-99", one.SOPInstanceUID, one.StudyInstanceUID):
        assert not any(str(secret) in line for line in lines)
    (stored,) = [record for record in caplog.records if getattr(record, "event", "") == "stored"]
    assert stored.facts["outcome"] == "new"


def test_a_port_that_is_taken_is_told_in_one_sentence(start, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = NodeSettings(port=taken.getsockname()[1])
        with pytest.raises(OutputFailed, match=r"cannot listen on port \d+ of 127\.0\.0\.1"):
            serve(start().shelf, settings, spool=tmp_path / "other")


def test_stopping_ends_open_associations_and_frees_the_port(start):
    running = start()
    with running.called([build_context(VERIFICATION)]) as association:
        running.node.stop()
        running.node.stop()
        assert running.node.associations == 0
        association.join(10)
        assert not association.is_established
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", running.node.port))
