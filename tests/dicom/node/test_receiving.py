from __future__ import annotations

import threading

import pytest
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_STORE
from tests.dicom.node.shelves import an_object, as_file, dataset_bytes

from bonescan.dicom.node.contexts import OBJECT_ENCODINGS, contexts_for, storage_classes
from bonescan.dicom.node.sending import Outcome, send
from bonescan.dicom.node.settings import Limits, NodeSettings
from bonescan.errors import ArchiveUnavailable, QuotaExceeded

AS_CAMERA = NodeSettings(ae_title="CAMERA")


def stored_as(running, one, **changes):
    """Status with which an object is answered when the request around it, or its bytes, are changed."""
    from io import BytesIO

    with running.called([build_context(NuclearMedicineImageStorage, one.file_meta.TransferSyntaxUID)]) as association:
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID = one.SOPClassUID
        request.AffectedSOPInstanceUID = changes.get("uid", one.SOPInstanceUID)
        request.DataSet = BytesIO(changes.get("bytes", dataset_bytes(as_file(one))))
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, 1)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        return answer.Status if answer else None


def test_an_object_is_kept_byte_for_byte(start, files):
    running = start()
    # an odd length, a private element and a value no reader likes: what was sent is what is kept
    one = an_object("Mü^ller", PixelData=b"\1" * 4242, StudyDescription="x" * 80)
    one.add_new(0x00091010, "LO", "private")
    paths = files(one)
    (sent,) = send(paths, running.as_peer, AS_CAMERA)
    assert (sent.outcome, sent.status) == (Outcome.STORED, 0)
    (received,) = running.shelf.given
    assert isinstance(received.content, bytes)
    assert dataset_bytes(received.content) == dataset_bytes(paths[0].read_bytes())
    assert received.calling_ae == "CAMERA"


def test_a_large_object_waits_in_a_file_that_is_gone_afterwards(start, files):
    running = start(limits=Limits(spool_above_bytes=10_000, pdu_bytes=4096, idle_s=20))
    paths = files(an_object(pixels=256))
    (sent,) = send(paths, running.as_peer, AS_CAMERA)
    assert sent.outcome is Outcome.STORED
    (received,) = running.shelf.given
    assert received.content.parent == running.spool
    (_, stored) = running.shelf.index[received.sop_instance_uid]
    assert dataset_bytes(stored.path.read_bytes()) == dataset_bytes(paths[0].read_bytes())
    assert list(running.spool.iterdir()) == []


def test_nothing_is_acknowledged_before_it_is_kept(start, files):
    running = start()
    running.shelf.gate.clear()
    answers = []
    sender = threading.Thread(target=lambda: answers.extend(send(files(an_object()), running.as_peer, AS_CAMERA)))
    sender.start()
    sender.join(0.5)
    assert answers == []  # the shelf has not returned
    running.shelf.gate.set()
    sender.join(20)
    assert answers[0].outcome is Outcome.STORED


def test_a_shelf_that_takes_longer_than_the_longest_silence_still_answers(start, files):
    running = start(limits=Limits(idle_s=0.5))
    running.shelf.gate.clear()
    opener = threading.Timer(1.5, running.shelf.gate.set)
    opener.start()
    results = send(files(an_object(), an_object()), running.as_peer, AS_CAMERA, attempts=1)
    opener.join()
    # the node's clock of silence runs from its own last word too, else it hangs up on whoever waited for it
    assert [sent.outcome for sent in results] == [Outcome.STORED] * 2


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (QuotaExceeded("full"), 0xA700),
        (ArchiveUnavailable("gone"), 0x0110),
        (OSError(28, "No space left"), 0x0110),
        (RuntimeError("unforeseen"), 0x0110),
    ],
)
def test_what_the_shelf_cannot_keep_is_refused_and_taken_later(start, files, failure, status):
    running = start()
    running.shelf.fails = failure
    one = an_object()
    assert stored_as(running, one) == status
    running.shelf.fails = None
    assert stored_as(running, one) == 0


def test_each_defect_of_an_object_has_its_status(start):
    running = start()
    one = an_object()
    assert stored_as(running, one, bytes=b"no data set at all" * 9) == 0xC000
    assert stored_as(running, one, uid="1.2.3.4") == 0xA900
    for uid in ("../../../etc/passwd", "1.2/../3", "..", "1.2.3\n4"):
        assert stored_as(running, one, uid=uid) in (0x0117, None)  # refused, or the association is aborted
    assert running.shelf.given == []
    assert stored_as(running, one) == 0


def test_an_object_above_the_limit_is_refused_with_a_status_and_kept_nowhere(start):
    running = start(limits=Limits(object_bytes=100_000, spool_above_bytes=20_000, pdu_bytes=4096, idle_s=20))
    assert stored_as(running, an_object(pixels=512)) == 0xA700  # 512 KiB of pixels
    assert list(running.spool.iterdir()) == []
    assert running.shelf.given == []
    assert stored_as(running, an_object(pixels=128)) == 0


def test_a_full_disk_of_the_spool_is_refused_with_a_status(start):
    running = start(limits=Limits(spool_above_bytes=1000, idle_s=20))
    running.spool.rmdir()  # no file can be made there any more
    assert stored_as(running, an_object()) == 0xA700
    running.spool.mkdir()
    assert stored_as(running, an_object()) == 0


def test_the_same_object_twice_is_acknowledged_twice(start, files):
    running = start()
    paths = files(an_object())
    assert [sent.outcome for sent in send(paths * 2, running.as_peer, AS_CAMERA)] == [Outcome.STORED] * 2
    assert len(running.shelf.index) == 1


def test_senders_at_once_lose_nothing(start, files):
    running = start()
    paths = files(*[an_object(number=number, pixels=16) for number in range(12)])
    outcomes = []

    def one_sender():
        outcomes.extend(sent.outcome for sent in send(paths, running.as_peer, AS_CAMERA))

    senders = [threading.Thread(target=one_sender) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert outcomes == [Outcome.STORED] * 48
    assert len(running.shelf.index) == 12


def test_every_kind_of_object_that_cameras_and_results_use_is_taken(start):
    used = {
        NuclearMedicineImageStorage,
        PositronEmissionTomographyImageStorage,
        CTImageStorage,
        SecondaryCaptureImageStorage,
        SegmentationStorage,
        EncapsulatedPDFStorage,
        "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
        "1.2.840.10008.5.1.4.1.1.88.59",  # Key Object Selection
        "1.2.840.10008.5.1.4.1.1.11.1",  # Grayscale Softcopy Presentation State
        "1.2.840.10008.5.1.4.1.1.7.2",  # Multi-frame Grayscale Byte Secondary Capture
    }
    assert used <= storage_classes()
    kinds = [(uid, syntax) for uid in used for syntax in (ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless)]
    with start().called(contexts_for(kinds)) as association:
        taken = {(context.abstract_syntax, context.transfer_syntax[0]) for context in association.accepted_contexts}
    assert taken >= set(kinds)
    assert "1.2.840.10008.1.2.1.99" not in OBJECT_ENCODINGS  # deflated: a bomb for whoever opens it
    assert {RLELossless, "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50"} <= set(OBJECT_ENCODINGS)


def test_a_compressed_object_is_kept_compressed(start, files):
    running = start()
    one = an_object()
    one.file_meta.TransferSyntaxUID = RLELossless
    from pydicom.encaps import encapsulate

    one.PixelData = encapsulate([b"\1" * 100])
    one["PixelData"].is_undefined_length = True
    paths = files(one)
    (sent,) = send(paths, running.as_peer, AS_CAMERA)
    assert sent.outcome is Outcome.STORED
    assert running.shelf.given[0].transfer_syntax_uid == RLELossless
    assert dataset_bytes(running.shelf.given[0].content) == dataset_bytes(paths[0].read_bytes())
