from __future__ import annotations

import time

import pytest
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.transport import AssociationSocket
from tests.dicom.node.shelves import an_object, as_file, dataset_bytes

from bonescan.dicom.node.contexts import contexts_for
from bonescan.dicom.node.sending import Outcome, echo, forward, send
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer

ME = NodeSettings(ae_title="BONESCAN", limits=Limits(opening_s=3, idle_s=10))
NOWHERE = Peer(ae_title="PACS", host="127.0.0.1", port=9)


@pytest.fixture
def pacs():
    """Another program's store, which answers what a test wants: `start(statuses, encodings) -> Peer, received`."""
    servers = []

    def begin(statuses=(), encodings=(ExplicitVRLittleEndian,)):
        entity = AE(ae_title="PACS")
        entity.add_supported_context(NuclearMedicineImageStorage, list(encodings))
        entity.add_supported_context("1.2.840.10008.1.1")
        received, left = [], list(statuses)

        def keep(event):
            received.append((event.encoded_dataset(include_meta=False), str(event.context.transfer_syntax)))
            status = left.pop(0) if left else 0x0000
            status = status() or 0x0000 if callable(status) else status
            if status is None:
                event.assoc.abort()
                return 0x0110
            return status

        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
        servers.append(server)
        return Peer(ae_title="PACS", host="127.0.0.1", port=server.server_address[1], results=True), received

    yield begin
    for server in servers:
        server.shutdown()


def test_every_object_has_its_own_result(pacs, files, tmp_path):
    peer, received = pacs([0x0000, 0xB000, 0xA900])
    paths = files(*[an_object(number=k, pixels=16) for k in range(3)], b"no DICOM at all")
    capture = an_object(SOPClassUID=SecondaryCaptureImageStorage)
    (tmp_path / "capture.dcm").write_bytes(as_file(capture))
    results = send([*paths, tmp_path / "capture.dcm", tmp_path / "missing.dcm"], peer, ME)
    assert [(one.outcome, one.status) for one in results] == [
        (Outcome.STORED, 0x0000),
        (Outcome.STORED, 0xB000),  # with a coercion
        (Outcome.REFUSED, 0xA900),
        (Outcome.UNREADABLE, None),
        (Outcome.REFUSED, None),  # the peer takes no secondary captures
        (Outcome.UNREADABLE, None),
    ]
    assert [bytes_ for bytes_, _ in received] == [dataset_bytes(path.read_bytes()) for path in paths[:3]]
    assert all(one.reason for one in results[2:])


def test_what_could_not_be_delivered_is_tried_again_and_nothing_else(pacs, files):
    # the first is stored; the second finds no room, then is stored; the third breaks the association
    peer, received = pacs([0x0000, 0xA700, None])
    waited: list[float] = []
    results = send(files(*[an_object(number=k, pixels=16) for k in range(3)]), peer, ME, wait=waited.append)
    assert [(one.outcome, one.attempts) for one in results] == [
        (Outcome.STORED, 1),
        (Outcome.STORED, 2),
        (Outcome.STORED, 2),
    ]
    assert (len(received), waited) == (5, [1.0])


def test_a_peer_that_is_not_there_is_told_after_all_attempts(files):
    waited: list[float] = []
    (result,) = send(files(an_object()), NOWHERE, ME, attempts=4, wait=waited.append)
    assert (result.outcome, result.attempts, waited) == (Outcome.UNDELIVERED, 4, [1.0, 2.0, 4.0])
    assert not echo(NOWHERE, ME)


def test_a_peer_that_knows_no_such_caller_is_not_asked_again(start, files):
    running = start(Peer(ae_title="CAMERA"))
    waited: list[float] = []
    (result,) = send(files(an_object()), running.as_peer, NodeSettings(ae_title="STRANGER"), wait=waited.append)
    assert (result.outcome, waited) == (Outcome.REFUSED, [])
    assert "AE title" in result.reason


def test_an_uncompressed_object_is_converted_where_the_peer_needs_it(pacs, files):
    peer, received = pacs(encodings=[ImplicitVRLittleEndian])
    one = an_object(pixels=16)
    (result,) = send(files(one), peer, ME)
    assert result.outcome is Outcome.STORED
    ((sent, encoding),) = received
    assert encoding == ImplicitVRLittleEndian
    assert one.PixelData in sent


def test_a_compressed_object_is_not_sent_as_something_else(pacs, files):
    peer, received = pacs()
    one = an_object(pixels=16)
    one.file_meta.TransferSyntaxUID = RLELossless
    from pydicom.encaps import encapsulate

    one.PixelData = encapsulate([b"\1" * 100])
    one["PixelData"].is_undefined_length = True
    (result,) = send(files(one), peer, ME)
    assert (result.outcome, received) == (Outcome.REFUSED, [])


def test_results_go_to_those_who_are_to_get_them(pacs, files):
    peer, received = pacs()
    settings = NodeSettings(peers=(peer, Peer(ae_title="CAMERA", host="127.0.0.1", port=9)))
    results = forward(files(an_object(pixels=16)), settings)
    assert {title: [one.outcome for one in sent] for title, sent in results.items()} == {"PACS": [Outcome.STORED]}
    assert len(received) == 1


def test_no_more_contexts_are_proposed_than_there_are_numbers_for():
    assert len(contexts_for((f"1.2.{k}", ExplicitVRLittleEndian) for k in range(200))) == 128


def test_the_time_for_an_answer_begins_when_the_object_has_left(pacs, files, monkeypatch):
    """At 12 ms a unit of 16 KiB the object takes 3 s at least; its answer may take 1 s and another for its 4 MiB."""
    waiting, plain = [], AssociationSocket.send

    def slowly(self, unit):
        if len(unit) > 8192:
            waiting.append(self.provider_queue.qsize())
            time.sleep(0.012)
        plain(self, unit)

    monkeypatch.setattr(AssociationSocket, "send", slowly)
    peer, received = pacs()
    impatient = NodeSettings(ae_title="BONESCAN", limits=Limits(opening_s=10, idle_s=1.0))
    (path,) = files(an_object(pixels=1448))
    (sent,) = send([path], peer, impatient, attempts=1)
    assert sent.outcome is Outcome.STORED
    assert [bytes_ for bytes_, _ in received] == [dataset_bytes(path.read_bytes())]
    assert len(waiting) > 250
    assert max(waiting) <= 8  # units of 16 KiB, of 256: it never lies in memory as a whole


def test_a_peer_is_given_time_to_keep_a_large_object(pacs, files, monkeypatch):
    """Where a MiB may take 16 s more, a peer that takes 2 s is waited for, and still there for the next object."""
    monkeypatch.setattr("bonescan.dicom.node.sending._SLOWEST_KEPT_BYTES_PER_S", 2**16)
    peer, received = pacs([lambda: time.sleep(2.0)])
    impatient = NodeSettings(ae_title="BONESCAN", limits=Limits(opening_s=10, idle_s=1.0))
    results = send(files(an_object(pixels=724), an_object(number=2, pixels=724)), peer, impatient, attempts=1)
    assert [one.outcome for one in results] == [Outcome.STORED] * 2
    assert len(received) == 2


def test_a_peer_that_goes_while_it_is_sent_to_is_not_waited_for(pacs, files, monkeypatch):
    monkeypatch.setattr(AssociationSocket, "send", _breaking(after=20))
    peer, received = pacs()
    (sent,) = send(files(an_object(pixels=1448)), peer, ME, attempts=1)
    assert (sent.outcome, received) == (Outcome.UNDELIVERED, [])


def _breaking(*, after):
    """A connection that breaks after so many units of an object."""
    left, plain = [after], AssociationSocket.send

    def send_some(self, unit):
        left[0] -= len(unit) > 8192
        if left[0] < 0:
            self._shutdown_socket()
        plain(self, unit)

    return send_some
