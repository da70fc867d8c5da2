from __future__ import annotations

import json
import shutil
import subprocess
import time
from datetime import date, datetime

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from tests.dicom.node.test_peers import free_port
from typer.testing import CliRunner, Result

from bonescan import cli
from bonescan.dicom.node.contexts import WORKLIST
from bonescan.dicom.node.sending import echo
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer
from bonescan.dicom.node.worklist import worklist
from bonescan.errors import InvalidValue, UnreadableInput

ME = NodeSettings(limits=Limits(opening_s=3, idle_s=10))


def an_entry(number: int, at: str, **more: object) -> Dataset:
    entry, step = Dataset(), Dataset()
    entry.SpecificCharacterSet = "ISO_IR 192"
    entry.PatientName, entry.PatientID = "Müller^Eva", f"P{number}"
    entry.PatientBirthDate, entry.PatientSex = "19600304", "F"
    entry.PatientWeight, entry.PatientSize = "64.5", "1.68"
    entry.AccessionNumber, entry.StudyInstanceUID = f"A{number}", f"1.2.{number}"
    entry.RequestedProcedureDescription, entry.RequestedProcedureID = "Bone scan", "R1"
    step.Modality, step.ScheduledStationAETitle = "NM", "CAMERA"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20260304", at
    step.ScheduledProcedureStepDescription, step.ScheduledProcedureStepID = "Whole body", "S1"
    entry.ScheduledProcedureStepSequence = [step]
    for keyword, value in more.items():
        setattr(entry, keyword, value)
    return entry


@pytest.fixture
def server():
    """A worklist server that answers with given entries, and the questions it got."""
    servers = []

    def begin(*entries: Dataset, last: int = 0x0000):
        asked = []

        def answer(event):
            asked.append(event.identifier)
            for entry in entries:
                yield 0xFF00, entry
            if last:
                yield last, None

        entity = AE(ae_title="RIS")
        entity.add_supported_context(WORKLIST)
        servers.append(entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)]))
        return Peer(ae_title="RIS", host="127.0.0.1", port=servers[-1].server_address[1]), asked

    yield begin
    for one in servers:
        one.shutdown()


def test_entries_come_in_the_order_of_their_times(server):
    peer, asked = server(an_entry(1, "1030"), an_entry(2, "0815", PatientWeight="0", PatientSize=None), an_entry(3, ""))
    late = worklist(peer, ME, on=date(2026, 3, 4))
    assert [one.patient_id for one in late] == ["P3", "P2", "P1"]
    one = late[-1]
    assert one.scheduled_at == datetime(2026, 3, 4, 10, 30)
    assert (one.patient_name, one.weight_kg, one.accession_number) == ("Müller^Eva", 64.5, "A1")
    assert one.height_cm == pytest.approx(168)
    assert one.age_years(date(2026, 3, 4)) == pytest.approx(66, abs=0.01)
    assert (late[1].weight_kg, late[1].height_cm) == (None, None)  # zero and nothing are both unknown
    (step,) = asked[0].ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledProcedureStepStartDate) == ("NM", "20260304")


def test_an_entry_that_says_nothing_is_an_entry_still(server):
    silent = Dataset()
    silent.PatientName = ""
    peer, _ = server(silent, an_entry(1, "2599", PatientBirthDate="19990230"))
    first, second = sorted(worklist(peer, ME), key=lambda one: one.patient_id)
    assert (first.patient_name, first.scheduled_at, first.age_years(date(2026, 1, 1))) == ("", None, None)
    assert second.born_on is None


def test_half_a_list_is_no_list(server):
    peer, _ = server(an_entry(1, "0800"), last=0xA700)
    with pytest.raises(UnreadableInput, match="to the end"):
        worklist(peer, ME)
    with pytest.raises(UnreadableInput, match="could not be reached"):
        worklist(Peer(ae_title="RIS", host="127.0.0.1", port=9), ME)


def test_a_list_without_end_is_cut_off(server, monkeypatch):
    monkeypatch.setattr("bonescan.dicom.node.worklist._MOST_ENTRIES", 3)
    peer, _ = server(*[an_entry(number, "0800") for number in range(6)])
    with pytest.raises(InvalidValue, match="more than 3 entries"):
        worklist(peer, ME)


@pytest.mark.skipif(not shutil.which("wlmscpfs"), reason="dcmtk is not installed")
def test_dcmtk_worklist_server_answers(tmp_path):
    (folder := tmp_path / "RIS").mkdir()
    (folder / "lockfile").touch()
    for number, at in ((1, "1030"), (2, "0815")):
        entry = an_entry(number, at)
        entry.file_meta = FileMetaDataset()
        entry.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        entry.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
        entry.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        entry.save_as(folder / f"{number}.wl", enforce_file_format=True)
    peer = Peer(ae_title="RIS", host="127.0.0.1", port=free_port())
    process = subprocess.Popen(
        ["wlmscpfs", "-dfp", str(tmp_path), str(peer.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(50):
            if echo(peer, ME):
                break
            time.sleep(0.1)
        found = worklist(peer, ME, on=date(2026, 3, 4))
        assert [(one.accession_number, one.weight_kg) for one in found] == [("A2", 64.5), ("A1", 64.5)]
        assert [one.patient_id for one in worklist(peer, ME, accession_number="A1")] == ["P1"]
        assert worklist(peer, ME, on=date(2026, 3, 5)) == []
    finally:
        process.terminate()
        process.wait(10)


def planned(peer: Peer, *words: str) -> Result:
    address = ["--worklist", f"{peer.host}:{peer.port}", "--ae-title", "RIS", "--inject-at", "2026-03-04 09:00"]
    return CliRunner().invoke(cli.app, ["plan", *address, *words, "--json"])


def test_a_plan_takes_the_person_from_the_worklist_unless_told_otherwise(server):
    peer, asked = server(an_entry(1, "1200"), an_entry(1, "0900"))  # two steps of one patient
    person = json.loads(planned(peer, "--accession", "A1").stdout)["referral"]
    assert (person["mass_kg"], person["height_cm"], person["sex"]) == (64.5, 168.0, "female")
    assert person["age_years"] == pytest.approx(66.0, abs=0.01)  # born 66 years before the injection, to the day
    assert asked[0].AccessionNumber == "A1"
    assert "Müller" not in planned(peer, "--accession", "A1").stdout
    other = json.loads(planned(peer, "--accession", "A1", "--weight-kg", "90", "--sex", "male").stdout)["referral"]
    assert (other["mass_kg"], other["height_cm"], other["sex"]) == (90.0, 168.0, "male")


def test_a_worklist_that_does_not_tell_enough_is_no_plan(server):
    nobody, _ = server()
    assert "nobody under this accession number" in str(planned(nobody, "--accession", "A1").exception)
    two, _ = server(an_entry(1, "0900"), an_entry(2, "0900"))
    refusal = str(planned(two, "--accession", "A1").exception)
    assert "has 2 under" in refusal
    assert "A1" not in refusal
    light, _ = server(an_entry(1, "0900", PatientWeight=None))
    assert "weigh, and give --weight-kg" in str(planned(light, "--accession", "A1").exception)
    assert planned(light, "--accession", "A1", "--weight-kg", "64").exit_code == 0
    assert planned(light).exit_code == 2
    assert CliRunner().invoke(cli.app, ["plan", "--accession", "A1", "--weight-kg", "64"]).exit_code == 2
    assert CliRunner().invoke(cli.app, ["plan"]).exit_code == 2
