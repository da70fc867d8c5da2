"""The codes by which results are understood elsewhere: SNOMED CT, DICOM's own, LOINC, and ours where neither has one.

Standard codes are those of DICOM's dictionary (PS3.16), which a test asks. For what a bone scan says and no list there
names (uptake as a multiple of normal bone, a Bone Scan Index), the codes are ours, under ``99BONESCAN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from bonescan.anatomy import Bone, bone
from bonescan.reading.model import Author, Kind, Nature, Polarity, Presence, Verdict
from bonescan.scan import Severity, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "AUTHORS",
    "KINDS",
    "NATURES",
    "OWN_SCHEME",
    "POLARITIES",
    "PRESENCES",
    "REGIONS",
    "SEVERITIES",
    "SIDES",
    "VERDICTS",
    "VIEWS",
    "Code",
    "bone_code",
    "dcm",
    "own",
    "sct",
    "ucum",
]

OWN_SCHEME = "99BONESCAN"
_SHORT, _MEANING = 16, 64


class Code(NamedTuple):
    """A concept: its value in a scheme, and what it means.

    Parameters
    ----------
    value, scheme, meaning : str
    """

    value: str
    scheme: str
    meaning: str

    def item(self) -> Dataset:
        """The concept as an item of a code sequence."""
        from pydicom.dataset import Dataset

        item = Dataset()
        if len(self.value) <= _SHORT:
            item.CodeValue = self.value
        else:
            item.LongCodeValue = self.value
        item.CodingSchemeDesignator, item.CodeMeaning = self.scheme, self.meaning[:_MEANING]
        return item


def sct(value: str, meaning: str) -> Code:
    """A concept of SNOMED CT.

    Parameters
    ----------
    value, meaning : str

    Returns
    -------
    Code
    """
    return Code(value, "SCT", meaning)


def dcm(value: str, meaning: str) -> Code:
    """A concept of DICOM's own scheme.

    Parameters
    ----------
    value, meaning : str

    Returns
    -------
    Code
    """
    return Code(value, "DCM", meaning)


def own(value: str, meaning: str) -> Code:
    """A concept of ours.

    Parameters
    ----------
    value, meaning : str

    Returns
    -------
    Code
    """
    return Code(value, OWN_SCHEME, meaning)


def ucum(unit: str) -> Code:
    """A unit of measurement.

    Parameters
    ----------
    unit : str
        UCUM.

    Returns
    -------
    Code
    """
    return Code(unit, "UCUM", {"1": "no units", "%": "percent"}.get(unit, unit))


REGIONS: Mapping[int, Code] = {
    1: sct("89546000", "Skull"),
    2: sct("122494005", "Cervical spine"),
    3: sct("122495006", "Thoracic spine"),
    4: sct("113197003", "Rib"),
    5: sct("56873002", "Sternum"),
    6: sct("51299004", "Clavicle"),
    7: sct("79601000", "Scapula"),
    8: sct("85050009", "Humerus"),
    9: sct("122496007", "Lumbar spine"),
    10: sct("54735007", "Sacrum"),
    11: sct("816092008", "Pelvis"),
    12: sct("71341001", "Femur"),
    13: sct("14975008", "Forearm"),
    14: sct("85562004", "Hand"),
    15: sct("72696002", "Knee"),
    16: sct("30021000", "Lower leg"),
    17: sct("56459004", "Foot"),
}
"""The planar regions."""

SIDES: Mapping[str, Code] = {"left": sct("7771000", "Left"), "right": sct("24028007", "Right")}
VIEWS: Mapping[ViewName, Code] = {
    ViewName.ANTERIOR: sct("399321004", "Anterior projection"),
    ViewName.POSTERIOR: sct("399001007", "Posterior projection"),
}
KINDS: Mapping[Kind, Code] = {
    Kind.BONE: sct("52988006", "Lesion"),
    Kind.PHYSIOLOGIC: own("physiologic", "Physiologic uptake"),
    Kind.ARTEFACT: own("artefact", "Artefact"),
}
AUTHORS: Mapping[Author, Code] = {
    Author.READER: dcm("121007", "Device"),
    Author.PHYSICIAN: dcm("121006", "Person"),
}
"""Who drew or judged a finding, as DICOM names types of observers."""

POLARITIES: Mapping[Polarity, Code] = {
    Polarity.HOT: own("hot", "Increased uptake"),
    Polarity.COLD: own("cold", "Decreased uptake"),
}
NATURES: Mapping[Nature, Code] = {
    Nature.METASTATIC: sct("94222008", "Bony metastasis"),
    Nature.TRAUMATIC: sct("417746004", "Traumatic injury"),
    Nature.DEGENERATIVE: own("degenerative", "Degenerative change"),
    Nature.INFLAMMATORY: sct("23583003", "Inflammation"),
    Nature.OTHER_BENIGN: own("other-benign", "Other benign cause"),
    Nature.PHYSIOLOGIC: own("physiologic", "Physiologic uptake"),
    Nature.ARTEFACT: own("artefact", "Artefact"),
}
PRESENCES: Mapping[Presence, Code] = {
    presence: own(presence.value.replace(" ", "-"), presence.value.capitalize()) for presence in Presence
}
VERDICTS: Mapping[Verdict, Code] = {
    verdict: own(verdict.value, f"Quality check: {verdict.value}") for verdict in Verdict
}
SEVERITIES: Mapping[Severity, Code] = {
    severity: own(severity.value, f"Remark: {severity.value}") for severity in Severity
}


def bone_code(bone_id: str) -> Code:
    """The SNOMED CT concept of a bone, without its side.

    Parameters
    ----------
    bone_id : str
        Of `bonescan.anatomy`.

    Returns
    -------
    Code
        The nearest broader concept where DICOM's dictionary does not have the bone itself: rib for the 7th rib.
    """
    one: Bone = bone(bone_id)
    if one.snomed:
        return sct(one.snomed, one.name.removeprefix(f"{one.side} "))
    return sct(one.snomed_broader, one.group)
