"""What reports of every kind say of themselves: headings, quality checks, remarks, method and versions, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.codes import Code, dcm, own
from bonescan.dicom.results.fields import Choice, Mapped, Measured, Record, Records, Words
from bonescan.dicom.results.reports import COMMENT
from bonescan.reading.model import QualityCheck
from bonescan.scan import Remark

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "ADVICE",
    "CHECKS",
    "IMPRESSION",
    "LETTER",
    "MAKING_HEAD",
    "PLACE",
    "P_METASTATIC",
    "QUALITY_HEAD",
    "QUESTION",
    "REASON",
    "REGION_NUMBER",
    "REMARK",
    "Making",
    "making",
    "member",
    "members",
    "read_making",
    "section",
]

IMPRESSION, ADVICE = dcm("121073", "Impression"), dcm("121075", "Recommendation")
LETTER, PLACE = own("letter", "Mark in pictures and tables"), own("place", "Place in words")
REASON, REGION_NUMBER = own("reason", "Why it is called this"), own("region-number", "Planar region, 0 for none")
P_METASTATIC = own("p-metastatic", "Probability that it is metastatic")
QUESTION = own("question", "What was asked of the images")
QUALITY_HEAD, MAKING_HEAD = own("quality", "Quality of the images"), own("making", "How the reading was made")

REMARK = Record(
    Remark,
    {
        "code": Words(own("remark-code", "Code of the remark")),
        "text": Words(COMMENT),
        "severity": Choice(own("severity", "Severity of the remark"), codes.SEVERITIES),
    },
)
_CHECK = Record(
    QualityCheck,
    {
        "code": Words(own("check-code", "Code of the check")),
        "question": Words(QUESTION),
        "verdict": Choice(own("verdict", "Verdict"), codes.VERDICTS),
        "measured": Measured(own("check-measured", "What the verdict rests on")),
        "text": Words(COMMENT),
    },
)
CHECKS = Records(own("quality-check", "Quality check"), _CHECK)
_REMARKS = Records(own("remark", "Remark"), REMARK)
_METHOD = Mapped(own("step", "Step of the method"), Words(own("step-name", "Step")), (Words(own("step-text", "How")),))
_VERSIONS = Mapped(
    own("version", "Version used"), Words(own("component", "Component")), (Words(own("version-is", "Version")),)
)


class Making(NamedTuple):
    """How a reading was made.

    Parameters
    ----------
    remarks : tuple of Remark
    method, versions : mapping of str to str
    """

    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    versions: Mapping[str, str]


def making(told: Making) -> list[Dataset]:
    """What a report says of how it was made.

    Parameters
    ----------
    told : Making

    Returns
    -------
    list of pydicom.Dataset
        Its heading with all under it; empty where there is nothing to say.
    """
    parts = [*_REMARKS.write(told.remarks), *_METHOD.write(told.method), *_VERSIONS.write(told.versions)]
    return [items.container(MAKING_HEAD, parts)] if parts else []


def read_making(root: Sequence[Dataset]) -> Making:
    """Read back what `making` has written.

    Parameters
    ----------
    root : sequence of pydicom.Dataset
        Items of the report.

    Returns
    -------
    Making
    """
    parts = section(root, MAKING_HEAD)
    return Making(_REMARKS.read(parts), _METHOD.read(parts), _VERSIONS.read(parts))


def member(one: StrEnum, prefix: str = "", *, by_name: bool = False) -> Code:
    """The concept of a member of a closed list.

    Parameters
    ----------
    one : StrEnum
    prefix : str
        Of the code, which must not be that of another concept.
    by_name : bool
        Whether the code follows from its name, for values that are sentences.

    Returns
    -------
    Code
    """
    value = one.name.lower().replace("_", "-") if by_name else one.value.replace(" ", "-")
    return own(prefix + value, one.value.replace("_", " ").capitalize())


def members(kind: type[StrEnum], prefix: str = "", *, by_name: bool = False) -> Mapping[StrEnum, Code]:
    """The concepts of a closed list.

    Parameters
    ----------
    kind : type
    prefix : str
    by_name : bool
        As for `member`.

    Returns
    -------
    mapping of StrEnum to Code
    """
    return {one: member(one, prefix, by_name=by_name) for one in kind}


def section(among: Sequence[Dataset], head: Code) -> Sequence[Dataset]:
    """What stands under a heading.

    Parameters
    ----------
    among : sequence of pydicom.Dataset
    head : Code

    Returns
    -------
    sequence of pydicom.Dataset
        Empty where there is no such heading.
    """
    found = items.named(among, head)
    return (found[0].get("ContentSequence") or []) if found else []
