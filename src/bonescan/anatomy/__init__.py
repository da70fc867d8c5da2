"""The bones: names, sides, codes, mass shares; and the skeleton that any room may pose and project."""

from bonescan.anatomy.bones import (
    BONES,
    DEFAULT_MASS_TABLE,
    MASS_TABLES,
    REGION_NAMES,
    Bone,
    MassTable,
    bone,
    mass_table,
)

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
