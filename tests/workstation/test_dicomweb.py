"""DICOMweb, asked by dicomweb-client over a real socket where it matters, and by a test client elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless
from requests import Session
from requests.exceptions import HTTPError
from tests.archive.made import object_of, part10, received
from tests.workstation.conftest import Browser, put_whole_body

from bonescan.archive import Archive, audit
from bonescan.dicom.node.settings import Limits, NodeSettings
from bonescan.dicom.node.shelf import Level
from bonescan.workstation import HttpSettings, Role, Workstation, serve

MULTIPART = 'multipart/related; type="application/dicom"; boundary=XX'
UNREACHED = "1.2.3.99"


@pytest.fixture
def token(workstation: Workstation) -> str:
    return workstation.rooms.tokens.add("PACS", Role.TECHNOLOGIST, actor="Ada")[1]


@pytest.fixture
def machine(browser, token: str) -> Browser:
    made = browser()
    made.headers["Authorization"] = f"Bearer {token}"
    return made


@pytest.fixture
def client(workstation: Workstation, archive: Archive, token: str) -> Iterator[DICOMwebClient]:
    session = Session()
    session.headers["Authorization"] = f"Bearer {token}"
    with serve(archive, HttpSettings(port=0), workstation=workstation) as served:
        yield DICOMwebClient(f"http://localhost:{served.port}/dicomweb", session=session)


def parts_of(*contents: bytes, boundary: str = "XX", head: bytes = b"Content-Type: application/dicom") -> bytes:
    mark = b"--" + boundary.encode()
    return b"".join(b"\r\n" + mark + b"\r\n" + head + b"\r\n\r\n" + one for one in contents) + b"\r\n" + mark + b"--"


def stow(machine: Browser, body: bytes | Iterator[bytes], path: str = "/dicomweb/studies", **headers: str):
    return machine.post(path, content=body, headers={"Content-Type": MULTIPART} | headers)


def said(item: dict, keyword: str) -> object:
    return Dataset.from_json(item).get(keyword)


# ---------------------------------------------------------------------------------------------------- with the client


def test_dicomweb_client_stores_finds_and_fetches(client, archive):
    """What another's client sends comes back from ours byte for byte, and pixel for pixel."""
    counts = put_whole_body(archive, "1.9.7")
    sent = [
        dcmread(io.BytesIO(part10(number, series=number, PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")))
        for number in (1, 2)
    ]
    told = client.store_instances(sent)
    assert {item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence} == {"1.2.3.1", "1.2.3.2"}
    assert (
        told.ReferencedSOPSequence[0].RetrieveURL == f"{client.base_url}/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"
    )
    assert archive.counts()["instance"] == 3

    found = client.search_for_studies(search_filters={"PatientName": "müller*"}, fields=["StudyDescription"])
    assert [Dataset.from_json(one).PatientName for one in found] == ["Müller^Jörg"]
    assert [said(one, "NumberOfStudyRelatedInstances") for one in found] == [2]
    assert len(client.search_for_series("1.9.1")) == 2
    assert [said(one, "SOPInstanceUID") for one in client.search_for_instances("1.9.1", "1.9.1.2")] == ["1.2.3.2"]
    assert len(client.search_for_instances(limit=2)) == 2

    assert {one.SOPInstanceUID for one in client.retrieve_study("1.9.1")} == {"1.2.3.1", "1.2.3.2"}
    (one,) = client.retrieve_series("1.9.1", "1.9.1.2")
    assert one == sent[1]
    series = client.search_for_series("1.9.7")[0]
    uids = ("1.9.7", said(series, "SeriesInstanceUID"), said(client.search_for_instances("1.9.7")[0], "SOPInstanceUID"))
    assert client.retrieve_instance(*uids).NumberOfFrames == 2
    frames = client.retrieve_instance_frames(*uids, [2, 1])
    for frame, expected in zip(frames, counts[::-1], strict=True):
        np.testing.assert_array_equal(np.frombuffer(frame, "<u2").reshape(expected.shape), expected)

    (metadata,) = client.retrieve_series_metadata(*uids[:2])
    assert "InlineBinary" not in metadata["7FE00010"]
    (pixels,) = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
    np.testing.assert_array_equal(np.frombuffer(pixels, "<u2"), counts.ravel())
    shown = Image.open(io.BytesIO(client.retrieve_instance_rendered(*uids, media_types=("image/png",))))
    assert (shown.mode, shown.size) == ("L", counts.shape[:0:-1])

    with pytest.raises(HTTPError, match="404"):
        client.retrieve_series_metadata("1.9.1", UNREACHED)


def test_large_studies_come_and_go_without_being_held_in_memory(client, archive, monkeypatch):
    """40 MiB in parts above the spool's limit: no block is larger than a MiB, and every byte arrives."""
    sizes = []
    feed = "bonescan.workstation.dicomweb_storing.MultipartReader.feed"
    from bonescan.workstation.dicomweb_storing import MultipartReader

    original = MultipartReader.feed
    monkeypatch.setattr(feed, lambda self, data: (sizes.append(len(data)), original(self, data))[1])
    content = [part10(number, PixelData=bytes(20 * 2**20), Rows=3200, Columns=3276) for number in (1, 2)]
    body = parts_of(*content)
    answer = client._session.post(
        f"{client.base_url}/studies",
        data=(body[at : at + 100_000] for at in range(0, len(body), 100_000)),  # chunked: no length is said
        headers={"Content-Type": MULTIPART},
    )
    assert answer.status_code == 200
    assert max(sizes) < 2 * 2**20
    assert sum(sizes) == len(body)
    blocks = client._session.get(f"{client.base_url}/studies/1.9.1", stream=True)
    whole = b"".join(blocks.iter_content(1 << 20))
    assert all(one in whole for one in content)


# ---------------------------------------------------------------------------------------------------- QIDO-RS


def test_queries_find_what_c_find_finds(machine, archive):
    """The same keys at the same level give the same objects as the node's own matching."""
    for number, modality in ((1, "NM"), (2, "CT"), (3, "NM")):
        archive.keep(object_of(number, study=number, modality=modality, StudyDate=f"2026070{number}"))
    for keys in (
        {"StudyDate": "20260702-"},
        {"PatientName": "doe^j*"},
        {"ModalitiesInStudy": "NM"},
        {"PatientID": "ID-2"},
        {"StudyInstanceUID": "1.9.1\\1.9.3"},
        {"StudyDate": "20270101"},
    ):
        expected = {one["StudyInstanceUID"] for one in archive.match(Level.STUDY, keys)}
        asked = {key: value.replace("\\", ",") if key.endswith("UID") else value for key, value in keys.items()}
        found = machine.get("/dicomweb/studies", params=asked)
        assert found.headers["content-type"] == "application/dicom+json"
        assert {said(one, "StudyInstanceUID") for one in found.json()} == expected, keys
    by_tag = machine.get("/dicomweb/series", params={"00080060": "CT"}).json()
    assert [said(one, "StudyInstanceUID") for one in by_tag] == ["1.9.2"]
    assert machine.get("/dicomweb/studies/1.9.1/series", params={"StudyInstanceUID": "1.9.2"}).json() == []


def test_fields_parts_and_warnings_of_queries(machine, archive):
    for number in range(1, 5):
        archive.keep(object_of(number))
    path = "/dicomweb/studies/1.9.1/instances"
    first = machine.get(path, params={"limit": 3})
    assert (len(first.json()), first.headers["warning"]) == (
        3,
        '299 bonescan "There are additional results that can be requested."',
    )
    rest = machine.get(path, params={"limit": 3, "offset": 3})
    assert "warning" not in rest.headers
    uids = [said(one, "SOPInstanceUID") for one in first.json() + rest.json()]
    assert sorted(uids) == [f"1.2.3.{number}" for number in range(1, 5)]
    assert said(rest.json()[0], "PatientName") is None  # the address says whose it is
    told = machine.get(path, params={"includefield": "00100010,StudyDate", "limit": 1}).json()[0]
    assert (said(told, "PatientName"), said(told, "StudyDate")) == ("Doe^Jane^1", "20260704")
    assert said(machine.get(path, params={"includefield": "all"}).json()[0], "PatientID") == "ID-1"
    fuzzy = machine.get("/dicomweb/studies", params={"fuzzymatching": "true", "PatientName": "Do", "EchoTime": "1"})
    assert fuzzy.json() == []
    assert "fuzzymatching parameter is not supported" in fuzzy.headers["warning"]
    assert "EchoTime is not matched" in fuzzy.headers["warning"]
    for wrong in ({"limit": "-1"}, {"offset": "x"}, {"NoSuchThing": "1"}, {"includefield": "<b>"}, {"limit": "9" * 30}):
        assert machine.get("/dicomweb/studies", params=wrong).status_code == 400, wrong


# ---------------------------------------------------------------------------------------------------- WADO-RS


def test_objects_are_given_as_stored_or_not_at_all(machine, archive):
    archive.keep(object_of(1))
    path = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"
    kind = 'multipart/related; type="application/dicom"'
    for accept in ("", "*/*", kind, f"{kind}; transfer-syntax=*", f"{kind};transfer-syntax=1.2.840.10008.1.2.1"):
        answer = machine.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(kind), accept
        assert part10(1) in answer.content
    alone = machine.get(path, headers={"Accept": "application/dicom"})
    assert (alone.content, alone.headers["content-length"]) == (part10(1), str(len(part10(1))))
    for accept in (f"{kind}; transfer-syntax=1.2.840.10008.1.2.4.90", "application/dicom+xml", "image/jpeg", "*/*;q=0"):
        answer = machine.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable"), accept


def test_metadata_name_long_values_by_address_and_are_sound_json(machine, archive):
    """What cannot be said (a number that is none, a damaged value) is left out; the rest is what the file says."""
    from pydicom.dataelem import DataElement

    long, odd = bytes(range(256)) * 400, Dataset()
    odd.PatientName, odd.RescaleSlope = "<script>alert(1)</script>", "nan"
    dataset = dcmread(io.BytesIO(part10(1, PatientWeight="70.5", DistanceSourceToDetector="1e400")))
    dataset.RequestAttributesSequence = [odd]
    dataset.add(DataElement(0x00091001, "OB", long))
    dataset.add(DataElement(0x00090010, "LO", "OURS"))
    dataset.add(DataElement(0x00189098, "FD", float("nan")))
    content = io.BytesIO()
    dataset.save_as(content)
    archive.keep(received(content.getvalue(), 1))
    answer = machine.get("/dicomweb/studies/1.9.1/metadata")
    (told,) = json.loads(answer.content, parse_constant=lambda words: pytest.fail(f"{words} is no JSON"))
    assert "<script>alert" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (said(told, "PatientWeight"), said(told, "SOPInstanceUID")) == (70.5, "1.2.3.1")
    assert "00020010" not in told
    address = told["00091001"]["BulkDataURI"]
    assert address == "http://localhost/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1/bulkdata/00091001"
    assert machine.get(address, headers={"Accept": "application/octet-stream"}).content == long
    assert long in machine.get(address).content
    for tag in ("00100020x", "00400275", "7FE00008", "zzzzzzzz"):
        assert machine.get(address.replace("00091001", tag)).status_code == 404, tag


def test_one_damaged_object_does_not_hide_the_others(machine, archive):
    """The middle one of three lost its header on the disk: it is named, the others are told."""
    for number in (1, 2, 3):
        archive.keep(object_of(number))
    archive.objects.place_of("1.2.3.2").write_bytes(b"lost")
    told = machine.get("/dicomweb/studies/1.9.1/metadata").json()
    assert [(said(one, "SOPInstanceUID"), said(one, "PatientID")) for one in told] == [
        ("1.2.3.1", "ID-1"),
        ("1.2.3.2", None),
        ("1.2.3.3", "ID-1"),
    ]
    alone = machine.get("/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.2/metadata")
    assert (alone.status_code, alone.json()["error"]["code"]) == (422, "unreadable")


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, RLELossless])
def test_frames_are_uncompressed_whatever_the_object_is(machine, archive, syntax):
    """Three frames of values that a seed gives; the stored ones are swapped, or run-length encoded by pydicom."""
    values = np.random.default_rng(520).integers(0, 1000, (3, 10, 10)).astype("<u2")
    dataset = dcmread(io.BytesIO(part10(1, NumberOfFrames=3, SamplesPerPixel=1, BitsStored=16, HighBit=15)))
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.PixelData = values.tobytes()
    content = io.BytesIO()
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(content)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = values.astype(">u2").tobytes()
        swapped = Dataset()
        swapped.update(dataset)
        swapped.file_meta = dataset.file_meta
        swapped.save_as(content, implicit_vr=False, little_endian=False, enforce_file_format=True)
    archive.keep(received(content.getvalue(), 1, syntax=syntax))
    path = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"
    accept = {"Accept": "application/octet-stream"}
    assert machine.get(f"{path}/frames/2", headers=accept).content == values[1].tobytes()
    both = machine.get(f"{path}/frames/3,1").content
    assert 0 < both.index(values[2].tobytes()) < both.index(values[0].tobytes())
    for wrong in ("0", "4", "1,4", "x", "1,", "-1", "9" * 30, "%31%0d%0a"):
        assert machine.get(f"{path}/frames/{wrong}").status_code == 404, wrong
    several = machine.get(f"{path}/frames/1,2", headers=accept)
    assert several.status_code == 406


def test_frames_of_single_bits_are_cut_within_bytes(machine, archive):
    """5 x 5 pixels of one bit: frame 2 begins in the middle of byte 4 (PS3.5 8.1.1)."""
    bits = np.random.default_rng(521).integers(0, 2, (3, 25)).astype(np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    facts = {"Rows": 5, "Columns": 5, "BitsAllocated": 1, "NumberOfFrames": 3, "SamplesPerPixel": 1}
    archive.keep(object_of(1, PixelData=packed, **facts))
    path = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"
    for number in (1, 2, 3):
        got = machine.get(f"{path}/frames/{number}", headers={"Accept": "application/octet-stream"}).content
        unpacked = np.unpackbits(np.frombuffer(got, np.uint8), bitorder="little")[:25]
        np.testing.assert_array_equal(unpacked, bits[number - 1])
        shown = Image.open(io.BytesIO(machine.get(f"{path}/frames/{number}/rendered?accept=image/png").content))
        np.testing.assert_array_equal(np.asarray(shown).ravel() > 0, bits[number - 1] > 0)


def test_rendered_frames_follow_the_equations_of_the_standard(machine, archive):
    """Grey values against PS3.3 C.11.2.1.2.1 and C.11.2.1.3.2, worked out here for each stored value."""
    values = np.arange(100, dtype="<u2").reshape(10, 10)
    facts = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0}
    archive.keep(object_of(1, PixelData=values.tobytes(), **facts))
    path = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1/rendered?accept=image/png"
    linear = np.clip((values - 49.5) / 59 + 0.5, 0, 1) * 255
    for window, expected in (
        ("50,60", linear),
        ("50,60,linear-exact", np.clip((values - 50.0) / 60 + 0.5, 0, 1) * 255),
        ("50,60,sigmoid", 255 / (1 + np.exp(-4 * (values - 50.0) / 60))),
        ("", values / 99 * 255),
    ):
        shown = np.asarray(Image.open(io.BytesIO(machine.get(f"{path}&window={window}").content)))
        np.testing.assert_allclose(shown, expected, atol=0.51)  # half a grey value of rounding
    small = Image.open(io.BytesIO(machine.get(f"{path}&viewport=40,20").content))
    assert small.size == (20, 20)
    jpeg = machine.get(path.partition("?")[0], params={"quality": "50"})
    assert (jpeg.headers["content-type"], jpeg.content[:2]) == ("image/jpeg", b"\xff\xd8")
    for wrong in ("window=1", "window=a,b", "window=1,0", "window=nan,2", "window=1,2,cubic", "viewport=0,1",
                  "viewport=9999999,1", "viewport=1,1,1,1,1,1", "quality=0", "quality=x"):  # fmt: skip
        assert machine.get(f"{path}&{wrong}").status_code == 400, wrong


def test_what_is_no_picture_has_no_frames(machine, archive):
    archive.keep(object_of(1, Rows=0, Columns=0))
    path = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"
    for place in ("frames/1", "rendered", "frames/1/rendered"):
        assert machine.get(f"{path}/{place}").status_code == 422, place
    archive.keep(object_of(2, NumberOfFrames=2**20))
    answer = machine.get(path.replace("1.2.3.1", "1.2.3.2") + "/frames/900000")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")


# ---------------------------------------------------------------------------------------------------- STOW-RS


def test_each_part_is_stored_or_refused_by_itself(machine, archive):
    """The reasons of PS3.18 table I.2-2; what is good among bad ones is stored."""
    alien = part10(5).replace(b"1.2.840.10008.5.1.4.1.1.20", b"1.2.840.10008.5.1.4.1.1.9\0")
    deflated = io.BytesIO()
    dataset = dcmread(io.BytesIO(part10(4)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(deflated)
    answer = stow(
        machine, parts_of(part10(1), b"", b"no DICOM", deflated.getvalue(), alien, part10(2)[:300], part10(3))
    )
    told = Dataset.from_json(answer.json())
    assert answer.status_code == 202
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == ["1.2.3.1", "1.2.3.3"]
    assert [item.FailureReason for item in told.FailedSOPSequence] == [0x0122]
    assert [item.FailureReason for item in told.OtherFailuresSequence] == [0xC000, 0xC000, 0xC122, 0xC000]
    assert archive.counts()["instance"] == 2
    again = stow(machine, parts_of(part10(1)))
    assert again.status_code == 200  # the same object once more is safe already
    assert archive.counts()["instance"] == 2
    none = stow(machine, parts_of(b"no DICOM"))
    assert (none.status_code, "00081199" in none.json()) == (409, False)


def test_objects_of_another_study_are_not_taken(machine, archive):
    answer = stow(machine, parts_of(part10(1, study=1), part10(2, study=2)), "/dicomweb/studies/1.9.2")
    told = Dataset.from_json(answer.json())
    assert (answer.status_code, told.FailedSOPSequence[0].FailureReason) == (202, 0xA900)
    assert told.RetrieveURL == "http://localhost/dicomweb/studies/1.9.2"
    assert archive.counts()["instance"] == 1
    assert stow(machine, parts_of(part10(1)), "/dicomweb/studies/no-uid").status_code == 404


def test_full_and_gone_archives_ask_to_come_again(machine, archive, monkeypatch):
    from bonescan.errors import ArchiveUnavailable, QuotaExceeded

    for error, reason in ((QuotaExceeded("full"), 0xA700), (ArchiveUnavailable("gone"), 0x0110)):

        def refuse(_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(archive, "keep", refuse)
        answer = stow(machine, parts_of(part10(1)))
        told = Dataset.from_json(answer.json())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert [item.FailureReason for item in told.FailedSOPSequence] == [reason]


def test_nothing_is_acknowledged_before_it_is_kept(machine, archive, monkeypatch):
    """The shelf's `keep` has returned for every object that the answer names, as with C-STORE."""
    kept, keep = [], archive.keep
    monkeypatch.setattr(archive, "keep", lambda one: (keep(one), kept.append(one.sop_instance_uid))[0])
    told = Dataset.from_json(stow(machine, parts_of(part10(1), part10(2))).json())
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == kept == ["1.2.3.1", "1.2.3.2"]
    assert list((archive.folder / "spool").iterdir()) == []
    rows = [row for row in audit.entries(archive.database) if row.action == "object.received"]
    assert {row.actor for row in rows} == {"STOW token:PACS"}


def test_the_largest_object_is_the_nodes(archive, browser, workstation, machine):
    object.__setattr__(workstation.rooms, "node", NodeSettings(limits=Limits(object_bytes=1000, spool_above_bytes=100)))
    answer = stow(machine, parts_of(part10(1), b"x" * 5000))
    told = Dataset.from_json(answer.json())
    assert answer.status_code == 202
    assert [item.FailureReason for item in told.OtherFailuresSequence] == [0xA700]
    assert list((archive.folder / "spool").iterdir()) == []


def test_what_ohif_asks_is_answered_with_the_sign_in_of_the_same_address(browser, archive):
    """Its study list, its series, their metadata and the first frame, in the words of OHIF's data source."""
    counts = put_whole_body(archive, "1.9.7")
    viewer = browser("physician")
    octets = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
    listed = viewer.get(
        "/dicomweb/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060&PatientName=*simulated*"
    ).json()
    study = said(listed[0], "StudyInstanceUID")
    assert (study, said(listed[0], "ModalitiesInStudy")) == ("1.9.7", "NM")
    (series,) = viewer.get(f"/dicomweb/studies/{study}/series?includefield=0008103E,00080021").json()
    uid = said(series, "SeriesInstanceUID")
    (told,) = viewer.get(f"/dicomweb/studies/{study}/series/{uid}/metadata").json()
    assert (said(told, "NumberOfFrames"), said(told, "Rows"), said(told, "Columns")) == counts.shape
    place = f"/dicomweb/studies/{study}/series/{uid}/instances/{said(told, 'SOPInstanceUID')}"
    assert counts[0].astype("<u2").tobytes() in viewer.get(f"{place}/frames/1", headers=octets).content
