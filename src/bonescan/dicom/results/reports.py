"""What every structured report of ours has in common: TID 1500 with context, image library and measurement groups."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bonescan import __version__
from bonescan.dicom import headers
from bonescan.dicom.modules import uid
from bonescan.dicom.quiet import keep_quiet
from bonescan.dicom.results import items
from bonescan.dicom.results.codes import SIDES, Code, dcm, own, sct
from bonescan.dicom.results.heading import DISCLAIMER, Reference, Series, begun, evidence, own_coding_scheme
from bonescan.dicom.results.segmentation import finding_site, tracking_uid
from bonescan.dicom.results.sources import Sourced
from bonescan.errors import UnreadableInput

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.followup.model import LesionChange
    from bonescan.reading.model import Finding
    from bonescan.reading.signing import Signature

__all__ = [
    "ABNORMAL",
    "CATEGORY",
    "COMMENT",
    "FINDING",
    "GROUP",
    "IMPRESSIONS",
    "LESION",
    "MEASUREMENTS",
    "REPORT_STORAGE",
    "SIDE",
    "TRACKED_AS",
    "WORDS",
    "measurement_group",
    "measurement_report",
    "only_report",
    "opened",
    "person_name",
    "place_of",
]

REPORT_STORAGE = "1.2.840.10008.5.1.4.1.1.88.34"
_SERIES = Series("SR", REPORT_STORAGE, 9002, "bonescan measurements")

GROUP, MEASUREMENTS = dcm("125007", "Measurement Group"), dcm("126010", "Imaging Measurements")
TRACKED_AS, _TRACKED_BY = dcm("112039", "Tracking Identifier"), dcm("112040", "Tracking Unique Identifier")
CATEGORY, ABNORMAL = sct("276214006", "Finding category"), sct("49755003", "Morphologically Abnormal Structure")
FINDING, _SITE, SIDE = (
    dcm("121071", "Finding"),
    sct("363698007", "Finding Site"),
    sct("272741003", "Laterality"),
)
LESION, WORDS = sct("52988006", "Lesion"), own("in-words", "In words")
IMPRESSIONS, COMMENT = dcm("121072", "Impressions"), dcm("121106", "Comment")


def place_of(finding: Finding | LesionChange) -> list[Dataset]:
    """What a measurement group says of where a finding, or what became of one, lies.

    Parameters
    ----------
    finding : Finding or LesionChange

    Returns
    -------
    list of pydicom.Dataset
        Category, and the site with its side where they are known.
    """
    about = [items.coded(CATEGORY, ABNORMAL)]
    site = finding_site(finding)
    if site is not None:
        side = [items.coded(SIDE, SIDES[finding.side], items.MODIFIES)] if finding.side in SIDES else []
        about.append(items.coded(_SITE, site, items.MODIFIES, side))
    return about


def measurement_report(
    sources: Sequence[Sourced],
    pictures: Sequence[Dataset],
    rests_on: Iterable[Reference],
    measurements: Sequence[Dataset],
    parts: Sequence[Dataset],
    signature: Signature | None = None,
) -> Dataset:
    """A Comprehensive 3D SR by TID 1500.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        What it reports on; the first one tells the person and the study.
    pictures : sequence of pydicom.Dataset
        Items of its image library.
    rests_on : iterable of Reference
        All that it refers to.
    measurements : sequence of pydicom.Dataset
        Measurement groups.
    parts : sequence of pydicom.Dataset
        What follows them.
    signature : Signature, optional
        Of the physician who has verified it.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    dataset = begun(sources, _SERIES)
    dataset.CodingSchemeIdentificationSequence = [own_coding_scheme()]
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    if signature is not None:
        _verify(dataset, signature, sources[0].dataset)
    referred = tuple(rests_on)
    study = str(dataset.StudyInstanceUID)
    dataset.CurrentRequestedProcedureEvidenceSequence = evidence(one for one in referred if one.study == study)
    if earlier := [one for one in referred if one.study != study]:
        dataset.PertinentOtherEvidenceSequence = evidence(earlier)
    library = items.container(
        dcm("111028", "Image Library"),
        [items.container(dcm("126200", "Image Library Group"), pictures)],
        template="1600",
    )
    content = [
        *_context(),
        items.text(COMMENT, DISCLAIMER),
        library,
        items.container(MEASUREMENTS, measurements),
        *parts,
    ]
    dataset.update(
        items.container(dcm("126000", "Imaging Measurement Report"), content, template="1500", relation=None)
    )
    return dataset


def _verify(dataset: Dataset, signature: Signature, source: Dataset) -> None:
    """Say who has verified the report, and which verified one it replaces."""
    from pydicom.dataset import Dataset

    observer, when = Dataset(), signature.signed_at
    observer.VerifyingObserverName = person_name(signature.name)
    observer.VerifyingObserverIdentificationCodeSequence = []
    observer.VerifyingOrganization = (headers.text(source, "InstitutionName") or "not stated")[:64]
    observer.VerificationDateTime = when.strftime("%Y%m%d%H%M%S%z")
    dataset.VerificationFlag, dataset.PreliminaryFlag = "VERIFIED", "FINAL"
    dataset.VerifyingObserverSequence = [observer]
    amends = signature.amends
    if amends is not None:
        dataset.CompletionFlagDescription = f"Amended: {' '.join(amends.reason.split())}"[:64]
        if amends.sop_instance_uid:
            earlier = Reference(amends.study_uid, amends.series_uid, REPORT_STORAGE, amends.sop_instance_uid)
            dataset.PredecessorDocumentsSequence = evidence([earlier])


def only_report(datasets: Iterable[Dataset]) -> Dataset:
    """The one structured report among objects.

    Parameters
    ----------
    datasets : iterable of pydicom.Dataset

    Returns
    -------
    pydicom.Dataset

    Raises
    ------
    UnreadableInput
        Where there is none, or more than one.
    """
    found = [one for one in datasets if headers.text(one, "SOPClassUID") == REPORT_STORAGE]
    if len(found) != 1:
        raise UnreadableInput(
            f"The objects of a reading hold one structured report, these hold {len(found)}; give those of one reading."
        )
    return found[0]


def opened(contents: Iterable[bytes]) -> list[Dataset]:
    """Open the files of results.

    Parameters
    ----------
    contents : iterable of bytes

    Returns
    -------
    list of pydicom.Dataset

    Raises
    ------
    UnreadableInput
        For what is no DICOM file.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    keep_quiet()
    try:
        return [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    except InvalidDicomError as error:
        raise UnreadableInput("A file among the results is not DICOM.") from error


def person_name(name: str) -> str:
    """A name as DICOM takes it.

    Parameters
    ----------
    name : str
        As a person writes it.

    Returns
    -------
    str
        One component of 64 characters at most, without the signs that part components and values.
    """
    return " ".join(
        "".join(" " if letter in "^=\\" or not letter.isprintable() else letter for letter in name).split()
    )[:64]


def _context() -> list[Dataset]:
    observed = "HAS OBS CONTEXT"
    return [
        items.coded(
            dcm("121049", "Language of Content Item and Descendants"),
            Code("en", "RFC5646", "English"),
            items.MODIFIES,
        ),
        items.coded(dcm("121005", "Observer Type"), dcm("121007", "Device"), observed),
        items.uid_reference(dcm("121012", "Device Observer UID"), uid("observer", __version__), observed),
        items.text(dcm("121013", "Device Observer Name"), "bonescan", observed),
        items.text(dcm("121014", "Device Observer Manufacturer"), "The bonescan project", observed),
        items.text(dcm("121015", "Device Observer Model Name"), f"bonescan {__version__}", observed),
        items.coded(
            dcm("121058", "Procedure reported"),
            sct("68796002", "Radioisotope study of musculoskeletal system"),
            items.MODIFIES,
        ),
    ]


def measurement_group(
    sources: Sequence[Sourced],
    name: str,
    template: str,
    about: Sequence[Dataset],
    parts: Sequence[Dataset],
    identity: str = "",
) -> Dataset:
    """One measurement group.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        What the report is on.
    name : str
        Tracking identifier: what is measured, the same in every object of one reading.
    template : str
        ``"1410"`` or ``"1501"``.
    about : sequence of pydicom.Dataset
        Category and site.
    parts : sequence of pydicom.Dataset
        What is told.
    identity : str
        Of a finding, see `tracking_uid`.

    Returns
    -------
    pydicom.Dataset
    """
    tracked = [
        items.text(TRACKED_AS, name, "HAS OBS CONTEXT"),
        items.uid_reference(_TRACKED_BY, tracking_uid(sources, name, identity), "HAS OBS CONTEXT"),
    ]
    return items.container(GROUP, [*tracked, *about, *parts], template=template)
