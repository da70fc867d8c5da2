from __future__ import annotations

import logging
import queue
import time

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from tests.dicom.node.shelves import an_object

from bonescan.dicom.node.contexts import COMMITMENT, COMMITMENT_INSTANCE
from bonescan.dicom.node.sending import send
from bonescan.dicom.node.settings import NodeSettings, Peer

AS_CAMERA = NodeSettings(ae_title="CAMERA")


def asked_about(*references: tuple[str, str]) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = "1.2.840.999.1"
    asked.ReferencedSOPSequence = []
    for class_uid, instance_uid in references:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = class_uid, instance_uid
        asked.ReferencedSOPSequence.append(one)
    return asked


@pytest.fixture
def reports():
    """What is reported to the one who asked: (event type, information)."""
    return queue.Queue()


@pytest.fixture
def keep_report(reports):
    def keep(event):
        reports.put((event.event_type, event.event_information))
        return 0x0000, None

    return keep


def test_a_report_comes_on_the_same_association_where_the_peer_cannot_be_called(
    start, files, reports, keep_report, caplog
):
    running = start(Peer(ae_title="CAMERA"))
    one = an_object()
    assert send(files(one), running.as_peer, AS_CAMERA)[0].status == 0
    mine = (one.SOPClassUID, one.SOPInstanceUID)

    def reported(*references: tuple[str, str]) -> tuple[int, Dataset]:
        """One question on one association: pynetdicom's own caller may hang when it asks again during a report."""
        caplog.clear()
        with running.called(
            [build_context(COMMITMENT)], evt_handlers=[(evt.EVT_N_EVENT_REPORT, keep_report)]
        ) as association:
            status, _ = association.send_n_action(asked_about(*references), 1, COMMITMENT, COMMITMENT_INSTANCE)
            assert status.Status == 0
            told = reports.get(timeout=20)
            for _ in range(200):  # released before the report is answered, it would break
                if "committed peer=CAMERA" in caplog.text:
                    break
                time.sleep(0.02)
        return told

    with caplog.at_level(logging.INFO):
        kind, told = reported(mine)
        assert (kind, told.TransactionUID, len(told.ReferencedSOPSequence)) == (1, "1.2.840.999.1", 1)
        assert "FailedSOPSequence" not in told

        kind, told = reported(mine, (mine[0], "1.2.3"))
        (failed,) = told.FailedSOPSequence
        # PS3.3 C.14.1.1: 0112H, no such object instance
        assert (kind, failed.ReferencedSOPInstanceUID, failed.FailureReason) == (2, "1.2.3", 0x0112)
        assert [safe.ReferencedSOPInstanceUID for safe in told.ReferencedSOPSequence] == [one.SOPInstanceUID]


def test_a_report_comes_on_a_new_association_where_the_peer_can_be_called(start, reports, keep_report):
    camera = AE(ae_title="CAMERA")
    camera.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    callers = []
    handlers = [
        (evt.EVT_N_EVENT_REPORT, keep_report),
        (evt.EVT_REQUESTED, lambda event: callers.append(event.assoc.requestor.primitive.calling_ae_title)),
    ]
    server = camera.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        running = start(Peer(ae_title="CAMERA", host="127.0.0.1", port=server.server_address[1]))
        with running.called([build_context(COMMITMENT)]) as association:
            status, _ = association.send_n_action(asked_about(("1.2", "1.2.3")), 1, COMMITMENT, COMMITMENT_INSTANCE)
            assert status.Status == 0
        kind, told = reports.get(timeout=20)  # the association on which it asked is long released
        assert (kind, len(told.FailedSOPSequence)) == (2, 1)
        assert callers == ["BONESCAN"]
    finally:
        server.shutdown()


def test_a_request_that_says_nothing_is_refused(start):
    running = start()
    with running.called([build_context(COMMITMENT)], ext_neg=[build_role(COMMITMENT, scu_role=True)]) as association:

        def answered(asked: Dataset, action: int = 1, instance: str = COMMITMENT_INSTANCE) -> int:
            return association.send_n_action(asked, action, COMMITMENT, instance)[0].Status

        assert answered(asked_about()) == 0x0115
        assert answered(asked_about(("1.2", "1.2.3")), action=7) == 0x0123
        assert answered(asked_about(("1.2", "1.2.3")), instance="1.2.3.4") == 0x0112


def test_a_shelf_that_fails_leads_to_no_report_rather_than_a_wrong_one(start, caplog):
    running = start()

    def fails(references):
        raise RuntimeError("database gone")

    running.shelf.holds = fails
    with running.called([build_context(COMMITMENT)]) as association:
        assert (
            association.send_n_action(asked_about(("1.2", "1.2.3")), 1, COMMITMENT, COMMITMENT_INSTANCE)[0].Status == 0
        )
    running.node.stop()  # waits for reports that are being made
    assert "failed-commitment" in caplog.text
