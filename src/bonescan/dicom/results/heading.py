"""What every result has in common: the person and the study of its source, a series of its own, and who made it.

No clock is read and no random number drawn: content dates are those of the acquisition, and a UID follows from what it
names, so that the same reading of the same files gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bonescan import __version__
from bonescan.dicom import headers
from bonescan.dicom.modules import uid
from bonescan.dicom.results.codes import OWN_SCHEME
from bonescan.dicom.results.sources import Sourced, SourceFrame

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "DISCLAIMER",
    "Reference",
    "Series",
    "begun",
    "encoded",
    "evidence",
    "evidenced",
    "instance_item",
    "own_coding_scheme",
    "part_of_body",
    "reference_item",
    "reference_to",
    "references",
]

DISCLAIMER = "Research software. Not a medical device. Never the only basis of a decision."
_SUFFIX = " (RESEARCH, not for diagnosis)"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_AFTER_UID = 0x00080019  # the first tag behind SOPInstanceUID
_UNKNOWN_DATE, _UNKNOWN_TIME = "19000101", "000000"  # where an attribute may not be empty
_CLOCK = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")


class Series(NamedTuple):
    """One series of results.

    Parameters
    ----------
    modality : str
    sop_class : str
        UID.
    number : int
        Of the series.
    description : str
    """

    modality: str
    sop_class: str
    number: int
    description: str


class Reference(NamedTuple):
    """An object that a result refers to.

    Parameters
    ----------
    study, series, sop_class, instance : str
        UIDs.
    """

    study: str
    series: str
    sop_class: str
    instance: str


def references(sources: Iterable[Sourced]) -> tuple[Reference, ...]:
    """The objects that frames lie in, or objects themselves, each once.

    Parameters
    ----------
    sources : iterable of SourceFrame or SourceObject

    Returns
    -------
    tuple of Reference
    """
    return tuple(dict.fromkeys(reference_to(source.dataset) for source in sources))


def reference_to(dataset: Dataset) -> Reference:
    """How others refer to an object.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    Reference
    """
    return Reference(
        study=str(dataset.StudyInstanceUID),
        series=str(dataset.SeriesInstanceUID),
        sop_class=str(dataset.SOPClassUID),
        instance=str(dataset.SOPInstanceUID),
    )


def reference_item(frame: SourceFrame) -> Dataset:
    """An item that refers to one frame, or to the whole of an object that has only one.

    Parameters
    ----------
    frame : SourceFrame

    Returns
    -------
    pydicom.Dataset
    """
    item = instance_item(reference_to(frame.dataset))
    if frame.frame_count > 1:
        item.ReferencedFrameNumber = frame.number
    return item


def instance_item(reference: Reference) -> Dataset:
    """An item that refers to an object.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.sop_class, reference.instance
    return item


def evidence(objects: Iterable[Reference]) -> list[Dataset]:
    """Objects by study and series, as a document lists what it rests on.

    Parameters
    ----------
    objects : iterable of Reference

    Returns
    -------
    list of pydicom.Dataset
        Items of a CurrentRequestedProcedureEvidenceSequence.
    """
    from pydicom.dataset import Dataset

    studies: dict[str, dict[str, list[Reference]]] = {}
    for one in dict.fromkeys(objects):
        studies.setdefault(one.study, {}).setdefault(one.series, []).append(one)
    items = []
    for study, by_series in studies.items():
        item = Dataset()
        item.StudyInstanceUID, item.ReferencedSeriesSequence = study, []
        for series, members in by_series.items():
            part = Dataset()
            part.SeriesInstanceUID = series
            part.ReferencedSOPSequence = [instance_item(one) for one in members]
            item.ReferencedSeriesSequence.append(part)
        items.append(item)
    return items


def evidenced(dataset: Dataset) -> tuple[Reference, ...]:
    """What a document rests on, of its own study first.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    tuple of Reference
    """
    told = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
    return tuple(
        Reference(
            study=str(study.StudyInstanceUID),
            series=str(series.SeriesInstanceUID),
            sop_class=str(one.ReferencedSOPClassUID),
            instance=str(one.ReferencedSOPInstanceUID),
        )
        for keyword in told
        for study in headers.items(dataset, keyword)
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    )


def begun(sources: Sequence[Sourced], series: Series, number: int = 1) -> Dataset:
    """An object with patient, study, series, equipment and content date.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        What it was made from; the first one's object tells the person and the study.
    series : Series
    number : int
        Of the instance in its series.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID, which `encoded` finds.
    """
    from pydicom.dataset import Dataset

    source = sources[0].dataset
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = series.sop_class
    _person(dataset, source)
    dataset.StudyInstanceUID = headers.text(source, "StudyInstanceUID")
    dataset.StudyDate, dataset.StudyTime = _date(source, "StudyDate"), _clock(source, "StudyTime")
    for keyword, most in (("ReferringPhysicianName", 64), ("StudyID", 16), ("AccessionNumber", 16)):
        setattr(dataset, keyword, (headers.text(source, keyword) or "")[:most])
    described = headers.text(source, "StudyDescription")
    if described:
        dataset.StudyDescription = described[:64]
    dataset.Modality, dataset.SeriesNumber = series.modality, series.number
    dataset.SeriesDescription = series.description + _SUFFIX
    read = sorted(reference.instance for reference in references(sources))
    dataset.SeriesInstanceUID = uid("results", series.modality, __version__, *read)
    dataset.Manufacturer = dataset.ManufacturerModelName = "bonescan"
    dataset.SoftwareVersions, dataset.DeviceSerialNumber = __version__, "none"
    dataset.InstanceNumber = number
    dataset.ContentDate, dataset.ContentTime = _when(source)
    return dataset


def part_of_body(dataset: Dataset, source: Dataset) -> None:
    """Say that it is the whole body; of any other part no side is told, for a detector sees both.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    source : pydicom.Dataset
    """
    kinds = headers.texts(source, "ImageType")
    if "WHOLE BODY" in kinds or headers.text(source, "BodyPartExamined") == "WHOLEBODY":
        dataset.BodyPartExamined = "WHOLEBODY"
    else:
        dataset.Laterality = ""


def _person(dataset: Dataset, source: Dataset) -> None:
    for keyword in ("PatientName", "PatientID"):
        setattr(dataset, keyword, headers.text(source, keyword) or "")
    dataset.PatientBirthDate = _date(source, "PatientBirthDate")
    sex = headers.text(source, "PatientSex") or ""
    dataset.PatientSex = sex if sex in ("F", "M", "O") else ""
    age = headers.text(source, "PatientAge") or ""
    if _AGE.fullmatch(age) and int(age[:3]) > 0:
        dataset.PatientAge = age
    for keyword in ("PatientSize", "PatientWeight"):
        value = headers.number(source, keyword)
        if value is not None and value > 0:
            setattr(dataset, keyword, headers.text(source, keyword))
    for keyword in ("PatientIdentityRemoved", "SyntheticData"):
        if said := headers.text(source, keyword):
            setattr(dataset, keyword, said)
    if done := headers.texts(source, "DeidentificationMethod"):
        dataset.DeidentificationMethod = done
    if coded := headers.items(source, "DeidentificationMethodCodeSequence"):
        dataset.DeidentificationMethodCodeSequence = coded


def _date(source: Dataset, keyword: str) -> str:
    found = headers.parse_date(headers.text(source, keyword))
    return f"{found:%Y%m%d}" if found else ""


def _clock(source: Dataset, keyword: str) -> str:
    said = headers.text(source, keyword) or ""
    found = headers.parse_time(said)
    if found is None:
        return ""
    return said if _CLOCK.fullmatch(said) else f"{found:%H%M%S}"


def _when(source: Dataset) -> tuple[str, str]:
    at = headers.acquired_at(source)
    return (f"{at:%Y%m%d}", f"{at:%H%M%S}") if at else (_UNKNOWN_DATE, _UNKNOWN_TIME)


def own_coding_scheme() -> Dataset:
    """What ``99BONESCAN`` is.

    Returns
    -------
    pydicom.Dataset
        Item of a CodingSchemeIdentificationSequence.
    """
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodingSchemeDesignator, item.CodingSchemeUID = OWN_SCHEME, uid("coding scheme", OWN_SCHEME)
    item.CodingSchemeName = "Concepts of bonescan, see its documentation of DICOM results"
    item.CodingSchemeResponsibleOrganization = "The bonescan project"
    return item


def encoded(dataset: Dataset) -> bytes:
    """The bytes of the file; the object gets the UID that follows from its content.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Gets its SOPInstanceUID.

    Returns
    -------
    bytes
        Explicit VR little endian.
    """
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset
    from pydicom.uid import UID

    # all but the UID is written once: it is what the UID follows from, and the most of the file
    into = DicomBytesIO()
    into.is_implicit_VR, into.is_little_endian = False, True
    write_dataset(into, dataset[_AFTER_UID:], parent_encoding=dataset.SpecificCharacterSet)
    rest, head = into.getvalue(), Dataset(dataset[:_AFTER_UID])
    digest = hashlib.sha256(_head(head) + rest).hexdigest()
    dataset.SOPInstanceUID = head.SOPInstanceUID = uid("instance", dataset.SeriesInstanceUID, digest)
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE)
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(uid("implementation")), "BONESCAN"
    dataset.file_meta = head.file_meta = meta
    whole = io.BytesIO()
    pydicom.dcmwrite(whole, head, enforce_file_format=True)
    return whole.getvalue() + rest


def _head(dataset: Dataset) -> bytes:
    import pydicom

    into = io.BytesIO()
    pydicom.dcmwrite(into, dataset, implicit_vr=False, little_endian=True)
    return into.getvalue()
