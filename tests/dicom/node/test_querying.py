from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import NuclearMedicineImageStorage
from pynetdicom import AE, build_context, build_role, evt
from tests.dicom.node.conftest import EVERYTHING
from tests.dicom.node.shelves import an_object, as_file, dataset_bytes

from bonescan.dicom.node.contexts import FIND_MODELS, GET_MODELS, MOVE_MODELS
from bonescan.dicom.node.sending import send
from bonescan.dicom.node.settings import NodeSettings, Peer

AS_CAMERA = NodeSettings(ae_title="CAMERA")
PATIENT_ROOT, STUDY_ROOT = FIND_MODELS


def asked(level: str, **keys: object) -> Dataset:
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def found(running, identifier: Dataset, model: str = STUDY_ROOT) -> tuple[list[Dataset], int]:
    """The matches, and the last status."""
    with running.called([build_context(model)]) as association:
        answers = list(association.send_c_find(identifier, model))
    return [match for _, match in answers if match is not None], answers[-1][0].Status


@pytest.fixture
def stocked(start, files):
    """A node with four objects: two people, three studies, two of them of one person on different days."""
    running = start()
    anna = {"PatientID": "P1", "StudyInstanceUID": "1.2.1"}
    objects = [
        an_object("Ärzte^Anna", 1, **anna, StudyDate="20250101", SeriesInstanceUID="1.2.1.1"),
        an_object("Ärzte^Anna", 2, **anna, StudyDate="20250101", SeriesInstanceUID="1.2.1.1"),
        an_object("Ärzte^Anna", 3, PatientID="P1", StudyInstanceUID="1.2.2", StudyDate="20260601"),
        an_object("Brown^Bob", 4, PatientID="P2", StudyInstanceUID="1.2.3", StudyDate="20260602"),
    ]
    assert all(sent.status == 0 for sent in send(files(*objects), running.as_peer, AS_CAMERA))
    running.objects = objects
    return running


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({"PatientName": "Ärzte*"}, {"1.2.1", "1.2.2"}),
        ({"PatientName": "B?own^Bob"}, {"1.2.3"}),
        ({"StudyDate": "20260101-"}, {"1.2.2", "1.2.3"}),
        ({"StudyDate": "20250101-20260601"}, {"1.2.1", "1.2.2"}),
        ({"StudyInstanceUID": ["1.2.1", "1.2.3", "1.2.99"]}, {"1.2.1", "1.2.3"}),
        ({"PatientID": "P1", "StudyDate": "-20251231"}, {"1.2.1"}),
        ({"PatientID": "nobody"}, set()),
        ({}, {"1.2.1", "1.2.2", "1.2.3"}),
    ],
)
def test_studies_are_found_by_name_date_and_list(stocked, keys, studies):
    matches, status = found(stocked, asked("STUDY", **{"StudyInstanceUID": "", **keys}))
    assert status == 0
    assert {match.StudyInstanceUID for match in matches} == studies


def test_a_match_holds_what_was_asked_for_and_nothing_else(stocked):
    identifier = asked("STUDY", StudyInstanceUID="1.2.1", PatientName="", ReferringPhysicianName="")
    identifier.ProcedureCodeSequence = []
    ((match,), _) = found(stocked, identifier)
    assert {element.keyword for element in match} == {
        "SpecificCharacterSet",
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "StudyInstanceUID",
        "PatientName",
        "ReferringPhysicianName",
        "ProcedureCodeSequence",
    }
    assert (match.PatientName, match.RetrieveAETitle) == ("Ärzte^Anna", "BONESCAN")
    assert not match.ReferringPhysicianName


@pytest.mark.parametrize(("level", "count"), [("PATIENT", 2), ("STUDY", 3), ("SERIES", 3), ("IMAGE", 4)])
def test_every_level_has_its_own_matches(stocked, level, count):
    matches, _ = found(stocked, asked(level, PatientID="*"), PATIENT_ROOT)
    assert len(matches) == count


def test_a_query_that_does_not_fit_its_model_is_refused_not_answered_with_everything(stocked):
    unfit = [asked("PATIENT", PatientID="*"), asked("FRAME", PatientID="*"), asked("", PatientID="*")]
    assert [found(stocked, identifier)[::-1] for identifier in unfit] == [(0xA900, [])] * 3


def test_a_shelf_that_fails_is_told_as_a_failure_not_as_no_match(stocked):
    stocked.shelf.fails = RuntimeError("database gone")
    assert found(stocked, asked("STUDY", StudyInstanceUID="")) == ([], 0xC000)


def test_a_query_is_cancelled(stocked):
    with stocked.called([build_context(STUDY_ROOT)]) as association:
        stocked.shelf.match = lambda level, keys: ({"StudyInstanceUID": f"1.2.{k}"} for k in range(100_000))
        statuses = []
        for status, _ in association.send_c_find(asked("STUDY", StudyInstanceUID=""), STUDY_ROOT, msg_id=7):
            statuses.append(status.Status)
            if len(statuses) == 5:
                association.send_c_cancel(7, query_model=STUDY_ROOT)
    assert statuses[-1] == 0xFE00
    assert len(statuses) < 10_000


def test_get_returns_the_objects_as_they_were_stored(stocked):
    received = []
    contexts = [build_context(GET_MODELS[1]), build_context(NuclearMedicineImageStorage, "1.2.840.10008.1.2.1")]

    def keep(event):
        received.append(event.encoded_dataset(include_meta=False))
        return 0

    with stocked.called(
        contexts,
        ext_neg=[build_role(NuclearMedicineImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    ) as association:
        *_, (status, _) = association.send_c_get(asked("STUDY", StudyInstanceUID="1.2.1"), GET_MODELS[1])
        assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 2)
        *_, (status, _) = association.send_c_get(asked("STUDY", StudyInstanceUID="1.2.99"), GET_MODELS[1])
        assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 0)
        for unfit in (asked("STUDY", StudyInstanceUID="1.2.*"), asked("STUDY"), asked("PATIENT", PatientID="P1")):
            *_, (status, _) = association.send_c_get(unfit, GET_MODELS[1])
            assert status.Status == 0xA900
    assert sorted(received) == sorted(dataset_bytes(as_file(one)) for one in stocked.objects[:2])


def test_move_sends_to_configured_peers_and_to_no_others(start, files, tmp_path):
    received = []

    def keep(event):
        received.append(event.encoded_dataset(include_meta=False))
        return 0

    listener = AE(ae_title="VIEWER")
    listener.add_supported_context(NuclearMedicineImageStorage)
    server = listener.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        viewer = Peer(ae_title="VIEWER", host="127.0.0.1", port=server.server_address[1])
        camera = Peer(ae_title="CAMERA", host="127.0.0.1", port=9, may=EVERYTHING)
        running = start(viewer, camera)
        one = an_object(StudyInstanceUID="1.2.1")
        assert send(files(one), running.as_peer, AS_CAMERA)[0].status == 0
        with running.called([build_context(MOVE_MODELS[1])]) as association:

            def moved(destination: str, identifier: Dataset) -> int:
                *_, (status, _) = association.send_c_move(identifier, destination, MOVE_MODELS[1])
                return status.Status

            study = asked("STUDY", StudyInstanceUID="1.2.1")
            assert moved("VIEWER", study) == 0
            assert moved("STRANGER", study) == 0xA801
            assert moved("VIEWER", asked("STUDY", StudyInstanceUID="*")) & 0xF000 == 0xC000
            assert moved("CAMERA", study) == 0xA801  # known, but nobody listens there
        assert [len(received), received[0]] == [1, dataset_bytes(as_file(one))]
    finally:
        server.shutdown()
