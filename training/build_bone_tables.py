"""Make the project's bone and mass tables from measured ones.

Usage::

    python training/build_bone_tables.py MEASURED_FOLDER src/bonescan/anatomy/data

``MEASURED_FOLDER`` holds ``bones.csv`` (one row per bone, with ``bone_id, side, fma_id, volume_cm3`` measured on
BodyParts3D) and ``skeleton_mass.csv`` (mineral bone by group in the two ICRP 110 phantoms, g).

Changes made: plain names, the project's regions and groups, SNOMED CT codes, and left and right given one volume,
the mean of both. Codes are those of DICOM's own dictionary (PS3.16, as pydicom carries it); a bone without one there
gets the nearest broader concept in its own column, never a guessed code.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

ORDINALS = ("", "1st", "2nd", "3rd", *(f"{k}th" for k in range(4, 13)))
FINGERS = ("", "thumb", "index finger", "middle finger", "ring finger", "little finger")
TOES = ("", "big toe", "2nd toe", "3rd toe", "4th toe", "little toe")

# stem: (name, region, group, SNOMED code, broader SNOMED code)
SINGLE = {
    "skull_ethmoid": ("ethmoid bone", 1, "skull", "52374004", ""),
    "skull_frontal": ("frontal bone", 1, "skull", "74872008", ""),
    "skull_inferior_nasal_concha": ("inferior nasal concha", 1, "skull", "", "91397008"),
    "skull_lacrimal": ("lacrimal bone", 1, "skull", "6229007", ""),
    "skull_maxilla": ("maxilla", 1, "skull", "70925003", ""),
    "skull_nasal": ("nasal bone", 1, "skull", "74386004", ""),
    "skull_occipital": ("occipital bone", 1, "skull", "31640002", ""),
    "skull_palatine": ("palatine bone", 1, "skull", "51283005", ""),
    "skull_parietal": ("parietal bone", 1, "skull", "24924006", ""),
    "skull_sphenoid": ("sphenoid bone", 1, "skull", "73117003", ""),
    "skull_temporal": ("temporal bone", 1, "skull", "60911003", ""),
    "skull_vomer": ("vomer", 1, "skull", "87166008", ""),
    "skull_zygomatic": ("zygomatic bone", 1, "skull", "13881006", ""),
    "mandible": ("mandible", 1, "mandible", "91609006", ""),
    "hyoid": ("hyoid bone", 0, "hyoid", "21387005", ""),
    "sacrum": ("sacrum", 10, "spine", "54735007", ""),
    "sternum_body": ("body of sternum", 5, "sternum", "", "56873002"),
    "sternum_manubrium": ("manubrium of sternum", 5, "sternum", "37285002", ""),
    "sternum_xiphoid": ("xiphoid process", 5, "sternum", "20298003", ""),
    "clavicle": ("clavicle", 6, "clavicle", "51299004", ""),
    "scapula": ("scapula", 7, "scapula", "79601000", ""),
    "humerus": ("humerus", 8, "humerus", "85050009", ""),
    "radius": ("radius", 13, "radius", "62413002", ""),
    "ulna": ("ulna", 13, "ulna", "23416004", ""),
    "hip_bone": ("hip bone", 11, "hip bone", "", "118645006"),
    "femur": ("femur", 12, "femur", "71341001", ""),
    "patella": ("patella", 15, "patella", "64234005", ""),
    "tibia": ("tibia", 16, "tibia", "12611008", ""),
    "fibula": ("fibula", 16, "fibula", "87342007", ""),
    "carpal_scaphoid": ("scaphoid", 14, "hand", "30518006", ""),
    "carpal_triquetral": ("triquetrum", 14, "hand", "", "24097009"),
    "tarsal_calcaneus": ("calcaneus", 17, "foot", "80144004", ""),
    "tarsal_talus": ("talus", 17, "foot", "67453005", ""),
    "tarsal_navicular": ("navicular of foot", 17, "foot", "75772009", ""),
    "sesamoid_foot_lateral": ("lateral sesamoid of foot", 17, "foot", "", "58742003"),
    "sesamoid_foot_medial": ("medial sesamoid of foot", 17, "foot", "", "58742003"),
}
VERTEBRAE = {
    "c": (2, ("", "14806007", "39976000", "113205007", "5329002", "36978003", "36054005", "87391001")),
    "t": (3, ("", "64864005", "53733008", "1626008", "73071006", "56401006", "45296009", "62487009", "11068009",
              "82687006", "7610001", "12989004", "23215003")),
    "l": (9, ("", "66794005", "14293000", "36470004", "11994002", "49668003")),
}  # fmt: skip
BY_NAME = {"c01": "atlas (C1)", "c02": "axis (C2)"}

# groups of skeleton_mass.csv: ours
ICRP = {
    "skull_without_mandible": "skull", "mandible": "mandible", "clavicles": "clavicle", "scapulae": "scapula",
    "sternum": "sternum", "humeri": "humerus", "ulnae_radii": "ulna + radius", "ribs": "rib", "spine_sacrum": "spine",
    "pelvis": "hip bone", "femora": "femur", "tibiae_fibulae_patellae": "tibia + fibula + patella", "feet": "foot",
    "hands_wrists": "hand",
}  # fmt: skip
# Spiers 1968 as the Bone Scan Index uses it, percent of skeletal mass, pairs summed.
SPIERS = {
    "skull": 16.6, "mandible": 1.8, "clavicle": 1.0, "scapula": 3.0, "sternum": 0.3, "humerus": 6.6, "ulna": 3.0,
    "radius": 2.4, "rib": 4.4, "spine": 8.3, "hip bone": 7.5, "femur": 17.8, "tibia": 10.2, "fibula": 2.6,
    "foot": 11.6, "hand": 3.0,
}  # fmt: skip

BONES_HEADER = """\
# The bones of bonescan's skeleton. Names, regions, groups: the project's own.
# fma: Foundational Model of Anatomy. snomed: SNOMED CT code from DICOM's dictionary (PS3.16); empty where DICOM has
# none, and then snomed_broader is the nearest broader concept there. Laterality is coded apart (CID 244).
# volume_cm3: measured on BodyParts3D, (c) The Database Center for Life Science, CC Attribution-Share Alike; both sides
# given their mean. It splits a group's mass among its bones.
"""
MASSES_HEADER = """\
# Mass of groups of bones, by table; both sides together. A group's mass is split among its bones by volume (bones.csv).
# spiers-1968: percent of skeletal mass. Spiers FW, Radioisotopes in the Human Body (1968) p. 120, the Bone Scan Index's
# table, as listed by medicalalgorithms.com. It sums to 100.1, has no patella, and gives spine and sacrum as one.
# icrp110-male, icrp110-female: grams of mineral bone without teeth and cartilage, measured on the voxel phantoms of
# ICRP Publication 110 (Ann. ICRP 39(2), 2009): volume x density x mineral bone fraction of each tissue.
"""


def describe(bone_id: str) -> tuple[str, int, str, str, str]:
    stem, side = (bone_id[:-2], bone_id[-1]) if bone_id[-2:] in ("_l", "_r") else (bone_id, "")
    word = {"l": "left ", "r": "right ", "": ""}[side]
    if stem in SINGLE:
        name, region, group, code, broader = SINGLE[stem]
        return word + name, region, group, code, broader
    first, _, rest = stem.partition("_")
    if first == "vertebra":
        region, codes = VERTEBRAE[rest[0]]
        number = int(rest[1:])
        return BY_NAME.get(rest, f"{rest[0].upper()}{number} vertebra"), region, "spine", codes[number], ""
    if first == "rib":
        return f"{word}{ORDINALS[int(rest)]} rib", 4, "rib", "", "113197003"
    if first == "carpal":
        return word + rest, 14, "hand", "", "24097009"
    if first == "tarsal":
        return f"{word}{rest.replace('_', ' ')}{' bone' if rest == 'cuboid' else ''}", 17, "foot", "", "108371006"
    if first == "metacarpal":
        return f"{word}{ORDINALS[int(rest)]} metacarpal", 14, "hand", "", "36455000"
    if first == "metatarsal":
        return f"{word}{ORDINALS[int(rest)]} metatarsal", 17, "foot", "", "72001000"
    _, limb, part, digit = stem.split("_")  # phalanx_hand_distal_1
    if limb == "hand":
        return f"{part} phalanx of {word}{FINGERS[int(digit)]}", 14, "hand", "", "24097009"
    return f"{part} phalanx of {word}{TOES[int(digit)]}", 17, "foot", "", "72001000"


def main(measured: Path, out: Path) -> None:
    with (measured / "bones.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    volumes = {row["bone_id"]: float(row["volume_cm3"]) for row in rows}
    with (out / "bones.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write(BONES_HEADER)
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["id", "name", "side", "region", "group", "fma", "snomed", "snomed_broader", "volume_cm3"])
        for row in rows:
            bone = row["bone_id"]
            other = bone[:-2] + {"_l": "_r", "_r": "_l"}.get(bone[-2:], bone[-2:])
            side = {"mid": "midline"}.get(row["side"], row["side"])
            name, region, group, code, broader = describe(bone)
            volume = (volumes[bone] + volumes[other]) / 2
            table.writerow([bone, name, side, region, group, row["fma_id"], code, broader, f"{volume:.3f}"])
    with (measured / "skeleton_mass.csv").open(encoding="utf-8") as stream:
        groups = {row["group"]: row for row in csv.DictReader(stream)}
    with (out / "masses.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write(MASSES_HEADER)
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["table", "groups", "mass"])
        table.writerows(["spiers-1968", group, percent] for group, percent in SPIERS.items())
        for name, column in (("icrp110-male", "AM_mineral_bone_g"), ("icrp110-female", "AF_mineral_bone_g")):
            table.writerows([name, ours, groups[theirs][column]] for theirs, ours in ICRP.items())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
