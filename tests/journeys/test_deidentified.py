"""What is read with --deidentify: every value that may tell who it was is sought in every byte that is written."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from PIL import Image
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset
from tests.dicom.results.studies import Study, study
from tests.reading.limbs import INJECTED, patch, phase_pictures, study_of

from bonescan.cli import main
from bonescan.dicom import Filing, write_dynamic, write_scan
from bonescan.dicom.results import PHASE_RESULT_NAMES
from bonescan.journeys import DICOM_FOLDER, clinic
from bonescan.scan import Phase

TABLES = (table.X_TAGS, table.X_D_TAGS, table.Z_TAGS, table.X_Z_TAGS, table.Z_D_TAGS, table.X_Z_D_TAGS, table.D_TAGS,
          table.U_TAGS, table.X_Z_U_STAR_TAGS)  # fmt: skip
LONGEST = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "ST": 64, "LT": 64, "UC": 64, "UT": 64}
MADE_UID = re.compile(rb"2\.25\.[0-9]+")


KEPT = ("StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "ContentDate",
        "ContentTime", "AcquisitionDateTime", "BodyPartExamined", "FrameOfReferenceUID")  # fmt: skip


class Needles:
    """Values that stand nowhere else, each with what it was written for."""

    def __init__(self) -> None:
        self.meaning: dict[bytes, str] = {}

    def new(self, vr: str, of: str) -> str | None:
        """A value for an attribute; ``None`` for kinds that hold no words, dates or names."""
        number = len(self.meaning)
        if vr in LONGEST:
            word = f"QX{number:04d}{'VZ' if vr in ('CS', 'AE') else 'vz'}"
            return self.keep(word, of, word)
        if vr == "UI":
            return self.keep(f"2.25.7391846250{number:04d}", of)
        if vr == "DA":
            year, month, day = 1903 + number % 50, 1 + number % 12, 1 + number % 28
            return self.keep(f"{year}{month:02d}{day:02d}", of, f"{year}-{month:02d}-{day:02d}")
        if vr == "TM":
            return self.keep(f"0317{number % 60:02d}.{730000 + number}", of, f"{730000 + number}")
        if vr == "DT":
            return self.keep(f"19{10 + number % 80}0{1 + number % 9}17031759.{810000 + number}", of)
        return None

    def keep(self, value: str, of: str, *forms: str) -> str:
        for form in (value, *forms):
            self.meaning[form.encode()] = of
            self.meaning[form.encode("utf-16-be")] = of
        return value

    def found_in(self, content: bytes) -> set[str]:
        begun = {start for start in {needle[:4] for needle in self.meaning} if start in content}
        short = MADE_UID.sub(b"2.25", content)  # its 38 random digits hold any six by chance, one time in hundreds
        return {
            f"{of}: {needle!r}"
            for needle, of in self.meaning.items()
            if needle[:4] in begun and needle in (short if needle.isdigit() and len(needle) < 9 else content)
        }


def thread(dataset: Dataset, needles: Needles) -> None:
    """Give every attribute of the profile's table a needle, and hide some where no table looks."""
    for tag in sorted({tag for tags in TABLES for tag in tags if len(tag) == 2}):
        number = (tag[0] << 16) | tag[1]
        vr = dictionary_VR(number) if dictionary_has_tag(number) else ""
        if tag[0] > 2 and (value := needles.new(vr, str(pydicom.tag.Tag(number)))) is not None:
            dataset.add_new(number, vr, value)
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = needles.new("DA", "date")
    dataset.PatientWeight, dataset.PatientSize, dataset.PatientAge = "81.373", "1.8713", "093Y"
    for value in ("81.373", "1.8713", "093Y"):
        needles.keep(value, "the body")
    block = dataset.private_block(0x0011, "QX PRIVATE", create=True)
    block.add_new(0x12, "LO", needles.new("LO", "private"))
    block.add_new(0x13, "OB", needles.new("LO", "private bytes").encode())
    needles.keep("QX PRIVATE", "private creator")
    item = Dataset()
    item.PatientName = needles.new("PN", "name within a sequence")
    item.add_new(0x00190010, "LO", needles.new("LO", "private creator within a sequence"))
    item.add_new(0x00191001, "UN", needles.new("LO", "private within a sequence").encode())
    dataset.RequestAttributesSequence = [item]
    dataset.EnergyWindowInformationSequence[0].add_new(0x00110010, "LO", needles.new("LO", "private in a window"))
    dataset.add_new(0x60000010, "US", 16)
    dataset.add_new(0x60000022, "LO", needles.new("LO", "overlay"))
    dataset.add_new(0x00180FFE, "UN", needles.new("LO", "of no dictionary").encode())
    dataset.file_meta.SourceApplicationEntityTitle = needles.new("AE", "sender")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = needles.new("LO", "preamble").encode().ljust(128, b"\0")


def layers(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """A file's bytes and what is packed within them: archives, PDF and PNG streams, embedded pictures, documents."""
    yield name, content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from layers(archive.read(member), f"{name}/{member}")
    elif content.startswith(b"%PDF"):
        for packed in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
            try:
                yield f"{name}/stream", zlib.decompressobj().decompress(packed[1])
            except zlib.error:
                yield f"{name}/stream", packed[1]
        if shutil.which("pdftotext"):  # letters of a subset font stand in a PDF by their number in it
            said = subprocess.run(["pdftotext", "-", "-"], input=content, capture_output=True, check=False)
            yield f"{name}/text", said.stdout
    elif content.startswith(b"\x89PNG"):
        picture = Image.open(io.BytesIO(content))
        picture.load()
        yield f"{name}/notes", repr(picture.info).encode()
        yield f"{name}/pixels", picture.tobytes()
    elif content[128:132] == b"DICM":
        for element in pydicom.dcmread(io.BytesIO(content)).iterall():
            if isinstance(element.value, bytes) and element.keyword != "PixelData":
                yield from layers(element.value, f"{name}/{element.keyword}")
    elif name.endswith(".html"):
        for packed in re.finditer(rb"base64,([A-Za-z0-9+/=]+)", content):
            yield from layers(base64.b64decode(packed[1]), f"{name}/embedded")


@dataclass(frozen=True)
class Threaded:
    needles: Needles
    sources: dict[str, bytes]
    made: Study | None
    files: dict[str, bytes]


def deidentified(needles: Needles, sources: Mapping[str, bytes], made: Study | None, place: Path) -> Threaded:
    """All that the command writes of a study in a folder that is a needle too; a bone scan's reading is drawn."""
    folder = place / "QuaggaZebulon"
    folder.mkdir()
    for name, content in sources.items():
        (folder / f"Quagga_{name}").write_bytes(content)
        needles.keep(hashlib.sha256(content).hexdigest(), "digest of the file")
    needles.keep("Quagga", "name of the file")
    out, said = place / "shared", io.StringIO()
    words = ["--deidentify", "--dicom", "--fhir", "--tables", "--json", "--manifest", str(out / "run.json")]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        if made is not None:
            patch.setattr("bonescan.reading.read", lambda scan, *, progress: made.reading_of(scan), raising=False)
        patch.setenv("NUMBA_CACHE_DIR", str(place / "compiled"))
        with pytest.raises(SystemExit) as ended:
            main(["read", str(folder), "-o", str(out), *words])
    assert ended.value.code in (None, 0), said.getvalue()
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return Threaded(needles, dict(sources), made, files | {"said": said.getvalue().encode()})


@pytest.fixture(scope="module")
def threaded(tmp_path_factory) -> Threaded:
    needles = Needles()
    made = study(findings=2, every=64, change=lambda dataset: thread(dataset, needles))
    return deidentified(needles, made.sources, made, tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def threaded_phases(tmp_path_factory) -> Threaded:
    """Flow, pool and delayed views of one person, each threaded alike; their own times tell them apart."""
    needles, sources = Needles(), {}
    drawn = study_of(phase_pictures(dict.fromkeys(Phase, 3.0), patch("left", (36, 44), 4)), np.random.default_rng(1))
    filing = Filing(body_part="LEG", study_began_at=INJECTED)
    objects = (
        *write_dynamic(drawn.flow, filing=filing).values(),
        *write_scan(drawn.pool, filing=filing).values(),
        *write_scan(drawn.delayed, filing=filing).values(),
    )
    for number, content in enumerate(objects):
        own, dataset = Needles(), pydicom.dcmread(io.BytesIO(content))
        kept = {name: dataset[name] for name in KEPT if name in dataset}
        tracer = dataset.RadiopharmaceuticalInformationSequence
        thread(dataset, own)
        for name in KEPT:
            del dataset[name]
        for element in kept.values():
            dataset[element.tag] = element
        dataset.RadiopharmaceuticalInformationSequence = tracer
        dataset.SOPInstanceUID = f"2.25.7391846251{number:04d}"
        into = io.BytesIO()
        pydicom.dcmwrite(into, dataset, enforce_file_format=True)
        sources[f"{number}.dcm"] = into.getvalue()
        needles.meaning |= own.meaning
        needles.keep(str(dataset.SOPInstanceUID), "instance")
    for form in (f"{INJECTED:%Y%m%d}", f"{INJECTED:%Y-%m-%d}"):
        needles.keep(form, "day of the scan")
    return deidentified(needles, sources, None, tmp_path_factory.mktemp("phases"))


def found(needles: Needles, files: Mapping[str, bytes]) -> set[tuple[str, str]]:
    return {
        (where, what)
        for name, content in files.items()
        for where, layer in layers(content, name)
        for what in needles.found_in(layer)
    }


@pytest.mark.long
def test_no_needle_is_in_any_byte_or_name_of_any_file(threaded):
    files = threaded.files
    assert {"reading.json", "report.pdf", "report.html", "fhir.json", "study.csv", "run.json"} <= set(files)
    assert {f"{DICOM_FOLDER}/source_1.dcm", f"{DICOM_FOLDER}/report_pdf.dcm"} <= set(files)
    assert not found(threaded.needles, files)
    assert not [name for name in files if "Quagga" in name]


@pytest.mark.long
def test_nor_in_what_a_three_phase_study_becomes(threaded_phases):
    files = threaded_phases.files
    assert {"phases.json", "phases.pdf", "phases.html", "phases_fhir.json", "run.json"} <= set(files)
    copies = {f"{DICOM_FOLDER}/source_{number}.dcm" for number in (1, 2, 3)}
    assert {*copies, *(f"{DICOM_FOLDER}/{name}" for name in PHASE_RESULT_NAMES)} <= set(files)
    assert not found(threaded_phases.needles, files)
    report = pydicom.dcmread(io.BytesIO(files[f"{DICOM_FOLDER}/phases_sr.dcm"]))
    series = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    referred = {item.ReferencedSOPInstanceUID for one in series for item in one.ReferencedSOPSequence}
    assert referred == {pydicom.dcmread(io.BytesIO(files[name])).SOPInstanceUID for name in copies}


@pytest.mark.long
def test_the_search_finds_what_is_there(threaded, threaded_phases):
    needles, made = threaded.needles, threaded.made
    for one in (threaded, threaded_phases):
        assert len({what for _, what in found(one.needles, one.sources)}) > 300  # of some 400 attributes
    files = clinic.rendered(made.reading, fhir=True, tables=True) | made.results
    places = {where for where, _ in found(needles, files)}
    assert {"reading.json", "fhir.json", "study.csv", "report.html", "measurements_sr.dcm"} <= places
    assert not shutil.which("pdftotext") or "report.pdf/text" in places
