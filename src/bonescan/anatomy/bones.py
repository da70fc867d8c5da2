"""The bones by name: sides, codes, regions, and each bone's share of skeletal mass.

Tables only: reading them needs nothing but the standard library. The shapes are
in `bonescan.anatomy.skeleton`, under the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue

__all__ = [
    "BONES",
    "DEFAULT_MASS_TABLE",
    "MASS_TABLES",
    "REGION_NAMES",
    "Bone",
    "MassTable",
    "bone",
    "mass_table",
]

_LATERALITY = {"left": "7771000", "right": "24028007", "midline": ""}  # DICOM CID 244, SNOMED CT


@dataclass(frozen=True, slots=True, kw_only=True)
class Bone:
    """One bone and how other systems call it.

    Parameters
    ----------
    id : str
        Ours, e.g. ``"rib_07_l"``; paired bones end in ``_l`` or ``_r``.
    name : str
        As a report writes it, e.g. ``"left 7th rib"``.
    side : str
        ``"left"``, ``"right"`` or ``"midline"``.
    region : int
        Planar region most of it lies in, 1 to 17; 0 for the hyoid.
    group : str
        Bones whose mass the tables of mass shares give as one, e.g. ``"rib"``, ``"spine"``.
    fma : str
        Foundational Model of Anatomy id. Both sesamoids of a foot share one.
    snomed : str
        SNOMED CT code of this bone in DICOM's dictionary (PS3.16), without its side; empty where DICOM has none.
    snomed_broader : str
        The nearest broader concept there, where `snomed` is empty: rib for the 7th rib.
    volume_cm3 : float
        Of the default skeleton, positive; both sides alike.
    """

    id: str
    name: str
    side: str
    region: int
    group: str
    fma: str
    snomed: str
    snomed_broader: str
    volume_cm3: float

    @property
    def snomed_laterality(self) -> str:
        """SNOMED CT code of the side (DICOM CID 244); empty at the midline."""
        return _LATERALITY[self.side]


@dataclass(frozen=True, slots=True, kw_only=True)
class MassTable:
    """Each bone's share of skeletal mass, from one named source.

    Parameters
    ----------
    name : str
        One of `MASS_TABLES`.
    version : str
        Changes whenever a share does.
    source : str
        Publication, and how it was measured.
    share_percent : mapping of str to float
        Bone id to percent of skeletal mass. A bone the source does not give is absent.

    Notes
    -----
    Sources give groups of bones. Within a group g a bone b has the share ::

        w_b = w_g V_b / sum of V over the bones of g

    with V the bones' volumes on the default skeleton. This split is a design decision of bonescan: it assumes one mean
    density within a group. It matters most for spine and sacrum, which Spiers gives as one number.
    """

    name: str
    version: str
    source: str
    share_percent: Mapping[str, float]


def _read_bones() -> tuple[Bone, ...]:
    return tuple(
        Bone(
            id=row["id"],
            name=row["name"],
            side=row["side"],
            region=int(row["region"]),
            group=row["group"],
            fma=row["fma"],
            snomed=row["snomed"],
            snomed_broader=row["snomed_broader"],
            volume_cm3=float(row["volume_cm3"]),
        )
        for row in rows("bones")
    )


BONES: tuple[Bone, ...] = _read_bones()
"""All 205 bones: the adult's 206 without the six ear ossicles and the coccyx, with four sesamoids of the feet and the
sternum in three."""

REGION_NAMES: Mapping[int, str] = MappingProxyType({int(row["region"]): row["name"] for row in rows("regions")})
"""Planar regions 1 to 17 by number."""

_SOURCES = {
    "spiers-1968": (
        "1",
        "Spiers FW. Radioisotopes in the Human Body (1968) p. 120; the Bone Scan Index's table; sum 100.1, no patella",
    ),
    "icrp110-male": ("1", "mineral bone of the adult male phantom, ICRP Publication 110, Ann. ICRP 39(2), 2009"),
    "icrp110-female": ("1", "mineral bone of the adult female phantom, ICRP Publication 110, Ann. ICRP 39(2), 2009"),
}

MASS_TABLES: tuple[str, ...] = tuple(_SOURCES)
"""Names of the tables of mass shares."""

DEFAULT_MASS_TABLE = "spiers-1968"
"""The one the Bone Scan Index is defined with."""

_BY_ID: Mapping[str, Bone] = MappingProxyType({one.id: one for one in BONES})


def bone(bone_id: str) -> Bone:
    """Look a bone up by its id.

    Parameters
    ----------
    bone_id : str

    Returns
    -------
    Bone

    Raises
    ------
    InvalidValue
        For an id that no bone has.

    Examples
    --------
    >>> bone("rib_07_l").name
    'left 7th rib'
    """
    try:
        return _BY_ID[bone_id]
    except KeyError:
        raise InvalidValue(
            f"No bone has the id {bone_id!r}; bonescan anatomy lists all {len(BONES)}.", got=bone_id
        ) from None


@cache
def mass_table(name: str = DEFAULT_MASS_TABLE) -> MassTable:
    """Look a table of mass shares up by its name.

    Parameters
    ----------
    name : str
        One of `MASS_TABLES`.

    Returns
    -------
    MassTable

    Raises
    ------
    InvalidValue
        For a name that no table has.

    Examples
    --------
    >>> round(mass_table("spiers-1968").share_percent["femur_l"], 6)
    8.9
    """
    if name not in _SOURCES:
        raise InvalidValue(f"No table of mass shares is called {name!r}; there are {', '.join(MASS_TABLES)}.", got=name)
    masses = {row["groups"]: float(row["mass"]) for row in rows("masses") if row["table"] == name}
    # Spiers' numbers are percent already and stay as published; grams become percent of their sum.
    scale = 1.0 if name == "spiers-1968" else 100 / sum(masses.values())
    share: dict[str, float] = {}
    for groups, mass in masses.items():
        members = [one for one in BONES if one.group in groups.split(" + ")]
        volume_cm3 = sum(one.volume_cm3 for one in members)
        share |= {one.id: mass * scale * one.volume_cm3 / volume_cm3 for one in members}
    version, source = _SOURCES[name]
    return MassTable(name=name, version=version, source=source, share_percent=MappingProxyType(share))
