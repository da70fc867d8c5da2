"""A study without the person: the images de-identified, and the scan as those would have told it.

The Basic Application Confidentiality Profile of PS3.15 annex E, without options: what its table removes, empties or
replaces, in every sequence too; and besides all private elements, what no dictionary knows, curves, overlays and every
other person's name. UIDs are replaced by ones that only the key's holder could derive, the same for the same UID, so
that references hold.

Notes
-----
Where the table leaves a choice by the attribute's type, the strictest that a valid image allows is taken: X/Z empties,
X/D removes, Z/D and X/Z/D empty; what can only be replaced gets a dummy. Dates and times go altogether, ages and
weights too, so a reading of what is left says nothing of delay and age. Pixels are not touched. No option for cleaning
them is claimed, so burned-in text is a remark for whoever looks.

References
----------
DICOM PS3.15, table E.1-1, edition 2026c, as the package dicom-anonymizer carries it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from bonescan import __version__
from bonescan.dicom import headers
from bonescan.dicom.modules import code, uid
from bonescan.dicom.pixels import transfer_syntax
from bonescan.dicom.results.sources import SourceFrame, SourceObject, match_sources
from bonescan.scan import DynamicScan, PatientFacts, Phase, Remark, Scan, Severity, Source, ThreePhaseStudy

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

__all__ = ["Deidentified", "DeidentifiedStudy", "deidentified", "study_without_identity", "without_identity"]

_AnyScan = TypeVar("_AnyScan", Scan, DynamicScan)
_REMOVE, _EMPTY, _DUMMY, _UID = "X", "Z", "D", "U"
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "DS": "0", "IS": "0"}
_STANDARD_ROOT = "1.2.840.10008."
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentified:
    """A scan without the person.

    Parameters
    ----------
    scan : Scan
        Counts, camera and tracer as they were; no person, no date, no name and no digest of a file that has them.
    frames : tuple of SourceFrame
        Its views in the de-identified images; none for a scan of pictures.
    files : mapping of str to bytes
        The de-identified images, named ``source_1.dcm`` and so on.
    remarks : tuple of Remark
        What was done, and what was not: pixels.
    """

    scan: Scan
    frames: tuple[SourceFrame, ...]
    files: Mapping[str, bytes]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentifiedStudy:
    """A three-phase study without the person.

    Parameters
    ----------
    study : ThreePhaseStudy
        As it was; no person, no date, no name and no digest of a file that has them.
    objects : tuple of SourceObject
        The de-identified images of its phases.
    frames : tuple of SourceFrame
        The views of its whole-body scan in them, where it has one.
    files : mapping of str to bytes
        The de-identified images, named ``source_1.dcm`` and so on.
    remarks : tuple of Remark
        What was done, and what was not: pixels.
    """

    study: ThreePhaseStudy
    objects: tuple[SourceObject, ...]
    frames: tuple[SourceFrame, ...]
    files: Mapping[str, bytes]
    remarks: tuple[Remark, ...]


@cache
def _actions() -> Mapping[int, str]:
    """What to do with each attribute of the table, by tag."""
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table

    by_action = (
        (_REMOVE, (table.X_TAGS, table.X_D_TAGS)),
        (_EMPTY, (table.Z_TAGS, table.X_Z_TAGS, table.Z_D_TAGS, table.X_Z_D_TAGS)),
        (_DUMMY, (table.D_TAGS,)),
        (_UID, (table.U_TAGS, table.X_Z_U_STAR_TAGS)),
    )
    return {
        (tag[0] << 16) | tag[1]: action
        for action, lists in by_action
        for tags in lists
        for tag in tags
        if len(tag) == 2  # repeating groups hold curves and overlays, which go as a whole
    }


def deidentified(dataset: Dataset, key: str) -> Dataset:
    """An image without the person.

    Parameters
    ----------
    dataset : pydicom.Dataset
        A nuclear medicine image or secondary capture with its file meta information; stays as it is.
    key : str
        Secret and hard to guess; equal keys give equal UIDs for equal UIDs.

    Returns
    -------
    pydicom.Dataset
        Says that it is de-identified, and how.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    copied = deepcopy(dataset)
    pseudonym = _pseudonym(dataset, key)
    _clean(copied, key)
    copied.PatientName, copied.PatientID = f"De-identified^{pseudonym}", pseudonym
    copied.PatientIdentityRemoved = "YES"
    copied.DeidentificationMethod = f"PS3.15 Basic Profile 2026c, bonescan {__version__}"
    copied.DeidentificationMethodCodeSequence = [code("113100", "Basic Application Confidentiality Profile", "DCM")]
    copied.LongitudinalTemporalInformationModified = "REMOVED"
    copied.SpecificCharacterSet = "ISO_IR 192"
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = copied.SOPClassUID, copied.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax(dataset))
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(uid("implementation")), "BONESCAN"
    copied.file_meta, copied.preamble = meta, bytes(128)
    return copied


def _pseudonym(dataset: Dataset, key: str) -> str:
    """What the person is called instead: the same in all images of one person under one key."""
    who = headers.text(dataset, "PatientID") or headers.text(dataset, "PatientName") or ""
    return "DEID-" + hashlib.sha256(f"{key}\0{who}".encode()).hexdigest()[:10].upper()


def _clean(dataset: Dataset, key: str) -> None:
    from pydicom.datadict import dictionary_has_tag
    from pydicom.tag import Tag

    actions = _actions()
    for number in list(dataset.keys()):
        tag = Tag(number)
        group = tag.group
        overlaid = 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF
        if overlaid or not dictionary_has_tag(tag):  # private ones, and what no edition of the standard knows
            del dataset[tag]
            continue
        action = actions.get(int(tag))
        try:
            element = dataset[tag]
        except Exception:  # a damaged value raises whatever its converter raises; nobody knows what it holds
            del dataset[tag]
            continue
        if action == _REMOVE or (action is None and element.VR == "UN"):  # what no dictionary knows may hold anything
            del dataset[tag]
        elif action == _EMPTY or (action is None and element.VR == "PN"):
            element.value = [] if element.VR == "SQ" else None
        elif action == _UID and element.VR == "UI":
            element.value = _renamed(element, key)
        elif element.VR == "SQ":
            for item in element.value:
                _clean(item, key)
        elif action is not None:
            _replace(dataset, element, key)


def _replace(dataset: Dataset, element: DataElement, key: str) -> None:
    """Put a dummy in the place of a value that may not be absent."""
    if element.VR == "UI":
        element.value = _renamed(element, key)
    elif element.VR in ("OB", "OW", "UN", "OD", "OF", "OL"):
        del dataset[element.tag]
    else:
        element.value = _DUMMIES.get(element.VR, "REMOVED")


def _renamed(element: DataElement, key: str) -> str | list[str] | None:
    if not element.value:
        return None
    values = [str(one) for one in ([element.value] if isinstance(element.value, str) else element.value)]
    renamed = [one if one.startswith(_STANDARD_ROOT) else uid("deidentified", key, one) for one in values]
    return renamed[0] if len(renamed) == 1 else renamed


def without_identity(scan: Scan, frames: Sequence[SourceFrame], key: str) -> Deidentified:
    """A scan and the images it was opened from, without the person.

    Parameters
    ----------
    scan : Scan
    frames : sequence of SourceFrame
        From `bonescan.dicom.find_sources`; none for a scan of pictures.
    key : str
        As for `deidentified`.

    Returns
    -------
    Deidentified
    """
    cleaned = {id(frame.dataset): deidentified(frame.dataset, key) for frame in frames}
    files, copies = _copies(list(cleaned.values()))
    return Deidentified(
        scan=_nameless(scan, next(iter(cleaned.values()), None), copies),
        frames=tuple(replace(frame, dataset=cleaned[id(frame.dataset)]) for frame in frames),
        files=files,
        remarks=_remarks([frame.dataset for frame in frames]),
    )


def study_without_identity(study: ThreePhaseStudy, objects: Sequence[SourceObject], key: str) -> DeidentifiedStudy:
    """A three-phase study and the images it was opened from, without the person.

    Parameters
    ----------
    study : ThreePhaseStudy
    objects : sequence of SourceObject
        From `bonescan.dicom.find_objects`: of the phases in their order, then of the whole-body scan.
    key : str
        As for `deidentified`.

    Returns
    -------
    DeidentifiedStudy
    """
    phases = [scan for phase in Phase if (scan := study.of(phase)) is not None]
    scans = [*phases, *([study.whole_body] if study.whole_body is not None else [])]
    digests = dict.fromkeys(source.sha256 for scan in scans for source in scan.sources)
    cleaned = {digest: deidentified(one.dataset, key) for digest, one in zip(digests, objects, strict=True)}
    files, copies = _copies(list(cleaned.values()))
    told = dict(zip(cleaned, copies, strict=True))

    def nameless(scan: _AnyScan | None) -> _AnyScan | None:
        if scan is None:
            return None
        return _nameless(scan, cleaned[scan.sources[0].sha256], [told[one.sha256] for one in scan.sources])

    whole = nameless(study.whole_body)
    of_phases = dict.fromkeys(source.sha256 for scan in phases for source in scan.sources)
    return DeidentifiedStudy(
        study=replace(
            study,
            flow=nameless(study.flow),
            pool=nameless(study.pool),
            delayed=nameless(study.delayed),
            whole_body=whole,
        ),
        objects=tuple(SourceObject(dataset=cleaned[digest]) for digest in of_phases),
        frames=() if whole is None else match_sources(cleaned.values(), whole),
        files=files,
        remarks=_remarks([one.dataset for one in objects]),
    )


def _copies(cleaned: Sequence[Dataset]) -> tuple[dict[str, bytes], list[Source]]:
    """De-identified images as files, and as sources of a scan."""
    import pydicom

    files, sources = {}, []
    for number, dataset in enumerate(cleaned, start=1):
        into, name = io.BytesIO(), f"source_{number}.dcm"
        pydicom.dcmwrite(into, dataset, enforce_file_format=True)
        files[name] = into.getvalue()
        digest = hashlib.sha256(files[name]).hexdigest()
        sources.append(Source(file_name=name, sha256=digest, sop_instance_uid=str(dataset.SOPInstanceUID)))
    return files, sources


def _nameless(scan: _AnyScan, first: Dataset | None, copies: Sequence[Source]) -> _AnyScan:
    """A scan as its de-identified images tell it, the first of which tells the person."""
    told = replace(
        scan,
        patient=PatientFacts() if first is None else headers.patient(first, None),
        injection=replace(scan.injection, injected_at=None),
        acquired_at=None,
        study_uid=str(first.StudyInstanceUID) if first is not None else None,
        study_description=None,
        sources=tuple(copies),
    )
    return replace(told, series_description=None) if isinstance(told, DynamicScan) else told


def _remarks(images: Sequence[Dataset]) -> tuple[Remark, ...]:
    done = Remark(
        code="dicom.deidentified",
        text="The person's identity, dates and private elements were removed by the Basic Application Confidentiality "
        "Profile of DICOM; pixels were not changed.",
    )
    said = [headers.text(image, "BurnedInAnnotation") for image in images]
    captured = any(headers.text(image, "SOPClassUID") == _SECONDARY_CAPTURE for image in images)
    if "YES" in said:
        text = "The file says that its pixels hold text that identifies the person: do not pass the pictures on."
    elif captured or not images:
        text = "Screen captures and pictures may hold text within the picture: look at them before you pass them on."
    else:
        return (done,)
    return done, Remark(code="dicom.deidentified.burned_in", text=text, severity=Severity.WARNING)
