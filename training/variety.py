"""Who the reader learns from: people as a clinic sees them, and more widely, so that a real scan is one more of them.

A person is of one group by drawn lot (`GROUPS`), which says what they have; build, age, pose and what bone takes up are
drawn for everybody, beyond what `bonescan.patient.cohort` and `bonescan.patient.uptake` draw. Every share and spread
here is a design decision [D]; what led to them is that a small network trained on simulated people failed on the
obese, on arms away from the body and on tilted pelves, and carried over to real scans only with normal uptake spread
log-normally by 0.28 over regions and 0.12 over bones. Seeds 1 to 99 are for training, 100 to 199 for calibration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.cohort import FREQUENCIES, Cohort, draw_scenario
from bonescan.patient.lesions.malignant import METASTASIS_SITES, site_bones
from bonescan.patient.scenario import Finding, Scenario
from bonescan.patient.uptake import NormalUptake, bone_places
from bonescan.patient.volumes import Patient

__all__ = ["GROUPS", "DrawnPerson", "draw_varied"]

GROUPS = {
    "clinic": 0.22,  # the default cohort
    "metastatic": 0.23,  # 1 to 130 metastases of any contrast, size and place
    "confluent": 0.06,  # many in few bones, and superscans
    "faint": 0.12,  # one to four small or faint spots, malignant or not
    "benign": 0.24,  # mimics up to ten times as common, rare ones often
    "healthy": 0.13,  # disturbances at most
}
"""Shares of the groups."""

_DISEASES = tuple(FREQUENCIES)[: tuple(FREQUENCIES).index("dental_work") + 1]  # the table's first part
_RARE = ("rheumatoid_arthritis", "sacral_insufficiency", "fracture", "stress_fracture", "prosthesis_hip",
         "prosthesis_knee", "avascular_necrosis", "osteomyelitis", "paget", "fibrous_dysplasia", "regional_pain",
         "vertebral_fracture", "rib_fractures", "hypertrophic_osteoarthropathy", "metabolic_superscan")  # fmt: skip
_WHOLE = ("kidney_failure", "free_pertechnetate", "colloid", "too_early", "too_late")

# Sites of metastases beyond how often they are published: rarely seen ones must be learnt too.
_SITES = {site: float(n) + 12.0 for site, n in METASTASIS_SITES.items()}

# Normal uptake beyond the model's own spread, as logarithms.
_REGION_LOG, _BONE_LOG, _PLACE_LOG = 0.25, 0.10, 0.30
_VERTEBRA_LOG = 0.12  # in half of the people: single levels that stand out without disease
# Where people drawn without what follows were brighter than 16 of the BS-80K scans, by the medians of both and against
# the lumbar spine from behind [C]: soft tissue of the thighs 2.8 times and of the loins 1.9 times, the hottest part of
# the sacrum 1.5 times, of the skull 1.3 to 1.5 times, scapulae from behind 1.4 times. Most people have less there, by
# widely different amounts [D]; the others have what the model says, as the people of a cohort do.
_SOFT_LOG = math.log(0.5)
_PLACES_LOG = {"sacroiliac": -0.5, "facets": -0.4}
_REGIONS_LOG = {1: -0.3, 7: -0.2, 11: -0.15}
_AS_MODELLED = 0.35
_BRIGHT = 0.35  # share of people with brighter joints, as many with a brighter face, and so on
_WORN = 0.5  # share of people in whom single joints stand out that no reader would mark, worn or for no reason [D]
_UNEVEN = 0.3  # and of those in whom a shoulder or a thigh takes up more than the other [D]
_SIDES = tuple(f"{stem}_{side}" for stem in ("femur", "humerus", "scapula", "clavicle", "hip_bone") for side in "lr")
_FACE = ("skull_maxilla", "skull_ethmoid", "skull_nasal", "skull_zygomatic", "mandible")
_JOINTS = ("sacroiliac", "shoulder", "sternoclavicular", "acromioclavicular", "elbow", "wrist", "knee", "patella",
           "ankle", "great_toe", "facets", "hip", "costovertebral", "costochondral", "sternal_angle")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnPerson:
    """One person to learn from.

    Parameters
    ----------
    group : str
        Key of `GROUPS`.
    patient : Patient
    time_h : float
        From injection to the scan.
    soft : float
        Times what all but bone, urinary tract and disturbances holds.
    kidneys : (float, float)
        Times what the left and the right kidney hold; next to nothing where one is missing.
    """

    group: str
    patient: Patient
    time_h: float
    soft: float
    kidneys: tuple[float, float]


def draw_varied(seed: int, number: int) -> DrawnPerson:
    """One person of a training population.

    Parameters
    ----------
    seed : int
    number : int
        Of the person. Nothing else decides who they are.

    Returns
    -------
    DrawnPerson
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 10)))
    group = str(rng.choice(list(GROUPS), p=np.array(list(GROUPS.values())) / sum(GROUPS.values())))
    scenario = _GROUP_SCENARIO[group](rng, seed, number)
    scenario = _lying(rng, _built(rng, scenario, growing=group in ("healthy", "faint")))
    root = np.random.SeedSequence(seed, spawn_key=(number, 11))
    patient = _patient(scenario, root)
    patient = replace(patient, uptake=_varied_uptake(rng, patient.uptake))
    as_modelled = rng.random() < 0.3
    soft = math.exp(rng.normal(0, 0.15) if as_modelled else rng.normal(_SOFT_LOG, 0.4))
    kidneys = np.exp(rng.normal(-0.15, 0.25) + rng.normal(0, 0.12, 2))
    if rng.random() < 0.04:
        kidneys[int(rng.integers(2))] *= rng.uniform(0.02, 0.3)
    return DrawnPerson(
        group=group,
        patient=patient,
        time_h=scenario.imaging().time_h,
        soft=soft,
        kidneys=(float(kidneys[0]), float(kidneys[1])),
    )


def _patient(scenario: Scenario, root: np.random.SeedSequence) -> Patient:
    """The patient; a build that no body has gives way to the nearest, then to a drawn one."""
    try:
        return scenario.patient(root)
    except InvalidValue:
        person = {key: value for key, value in scenario.person.items() if key != "bmi"}
        return replace(scenario, person=person).patient(root)


# --- what they have --------------------------------------------------------------------------------------


def _clinic(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    return draw_scenario(seed, number)


def _with_mimics(seed: int, number: int, times: Callable[[str], float]) -> Scenario:
    """A person of a cohort without metastases, with other shares of mimics."""
    frequencies = {
        name: replace(own, men=min(1.0, own.men * times(name)), women=min(1.0, own.women * times(name)))
        for name, own in FREQUENCIES.items()
        if name in (*_DISEASES, *_WHOLE)
    }
    return draw_scenario(seed, number, Cohort(metastatic=0.0, frequencies=frequencies))


def _healthy(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    return _with_mimics(seed, number, lambda name: float(name in _WHOLE))


def _benign(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    common = {name: float(np.exp(rng.uniform(math.log(1), math.log(10)))) for name in _DISEASES}
    for name in rng.choice(_RARE, int(rng.integers(0, 4)), replace=False):
        common[str(name)] = 0.7 / max(FREQUENCIES[str(name)].men, FREQUENCIES[str(name)].women)
    scenario = _with_mimics(seed, number, lambda name: common.get(name, 1.0))
    more = [Finding(kind="degenerative_spine", told={"contrast": _level(rng, 1.3, 5.0)})] if rng.random() < 0.4 else []
    if rng.random() < 0.25:
        more.append(Finding(kind="vertebral_fracture", told={"age_days": _level(rng, 10, 700)}))
    if rng.random() < 0.3:
        more.append(Finding(kind="rib_fractures", told={"age_days": _level(rng, 5, 300), "count": _many(rng, 1, 8)}))
    return replace(scenario, lesions=(*scenario.lesions, *more))


def _metastatic(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    scenario = _with_mimics(seed, number, lambda name: 0.7 if rng.random() < 0.6 else 0.0)
    own = {site: weight * math.exp(0.8 * rng.normal()) for site, weight in _SITES.items()}
    share = np.array(list(own.values())) / sum(own.values())
    level, size = _level(rng, 1.6, 7.0), _level(rng, 14.0, 34.0)
    many = _many(rng, 1, 60)
    if rng.random() < 0.18:  # between many spots and a superscan
        many, size = int(rng.integers(50, 131)), _level(rng, 20.0, 40.0)
    made = []
    for _ in range(many):
        told: dict[str, Any] = {"bone": str(rng.choice(list(own), p=share))}
        if rng.random() < 0.6:
            told["contrast"] = float(np.clip(level * math.exp(0.4 * rng.normal()), 1.3, 14.0))
        if rng.random() < 0.6:
            told["diameter_mm"] = float(np.clip(size * math.exp(0.35 * rng.normal()), 6.0, 90.0))
        made.append(Finding(kind="lytic_metastasis" if rng.random() < 0.1 else "metastasis", told=told))
    return replace(scenario, lesions=(*scenario.lesions, *made))


def _confluent(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    scenario = _with_mimics(seed, number, lambda name: 0.5)
    if rng.random() < 0.5:
        told = {"contrast": _level(rng, 1.5, 9.0), "patchiness": float(rng.uniform(0.2, 0.9))}
        return replace(scenario, lesions=(*scenario.lesions, Finding(kind="metastatic_superscan", told=told)))
    sites = [site for site in _SITES if site not in ("forearm", "maxilla", "tibia")]
    made = []
    for _ in range(int(rng.integers(1, 7))):
        bone = str(rng.choice(site_bones(str(rng.choice(sites)))))
        level = _level(rng, 2.0, 9.0)
        for _ in range(_many(rng, 2, 12)):
            told = {"bone": bone, "contrast": level * math.exp(0.25 * rng.normal()), "diameter_mm": _level(rng, 15, 60)}
            made.append(Finding(kind="metastasis", told=told))
    return replace(scenario, lesions=(*scenario.lesions, *made))


def _faint(rng: np.random.Generator, seed: int, number: int) -> Scenario:
    scenario = _with_mimics(seed, number, lambda name: 0.3)
    made = []
    for _ in range(int(rng.integers(1, 5))):
        told: dict[str, Any] = {"contrast": _level(rng, 1.3, 6.0)}
        what = rng.random()
        if what < 0.45:
            told |= {"bone": str(rng.choice(list(_SITES))), "diameter_mm": _level(rng, 8, 25)}
            made.append(Finding(kind="metastasis", told=told))
        elif what < 0.6:
            told |= {"bone": "rib", "diameter_mm": _level(rng, 8, 20)}
            made.append(Finding(kind="metastasis", told=told))
        elif what < 0.85:
            told |= {"count": 1, "age_days": _level(rng, 10, 200)}
            made.append(Finding(kind="rib_fractures", told=told))
        else:
            made.append(Finding(kind="degenerative_spine", told=told))
    return replace(scenario, lesions=(*scenario.lesions, *made))


_GROUP_SCENARIO = {
    "clinic": _clinic,
    "metastatic": _metastatic,
    "confluent": _confluent,
    "faint": _faint,
    "benign": _benign,
    "healthy": _healthy,
}


def _level(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _many(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number, log-uniform."""
    return min(int(_level(rng, low, high + 1)), high)


# --- what they are like ----------------------------------------------------------------------------------


def _built(rng: np.random.Generator, scenario: Scenario, *, growing: bool) -> Scenario:
    person, physiology = dict(scenario.person), dict(scenario.physiology)
    what = rng.random()
    if what < 0.18:
        person["bmi"] = float(rng.uniform(31, 44))
    elif what < 0.28:
        person["bmi"] = float(rng.uniform(17.5, 20.5))
    if rng.random() < 0.25:
        person["age_years"] = float(rng.uniform(18, 45) if rng.random() < 0.6 else rng.uniform(82, 97))
    if growing and rng.random() < 0.08:
        person["age_years"] = float(rng.uniform(11, 18))
        person.pop("bmi", None)
    if rng.random() < 0.3:
        person["sex"] = str(rng.choice(["male", "female"]))
    if "bladder_ml" not in person and rng.random() < 0.2:
        person["bladder_ml"] = float(rng.uniform(250, 650))
        physiology["voids_h"] = (0.6 * scenario.imaging().time_h,)
    if rng.random() < 0.2:
        physiology["bone_turnover"] = _level(rng, 0.5, 2.0)
    return replace(scenario, person=person, physiology=physiology)


def _lying(rng: np.random.Generator, scenario: Scenario) -> Scenario:
    person = dict(scenario.person)
    person["arms"] = "belly" if rng.random() < 0.22 else "beside"
    pose = dict(person.get("pose", {}))

    def turned(name: str, chance: float, low_deg: float, high_deg: float) -> None:
        if rng.random() < chance:
            pose[name] = math.radians(float(rng.uniform(low_deg, high_deg)))

    turned("pelvis.tilt_rad", 0.25, -6, 32)
    turned("pelvis.turn_rad", 0.2, -10, 10)
    turned("pelvis.lean_rad", 0.15, -5, 5)
    turned("thorax.turn_rad", 0.2, -9, 9)
    turned("head.turn_rad", 0.25, -40, 40)
    turned("head.lean_rad", 0.2, -12, 12)
    turned("head.nod_rad", 0.2, -10, 25)
    for side in "lr":
        turned(f"thigh_{side}.spread_rad", 0.2, 0, 9)
        turned(f"thigh_{side}.turn_rad", 0.2, -20, 20)
        turned(f"foot_{side}.turn_rad", 0.25, -30, 30)
        if person["arms"] == "beside":
            turned(f"arm_{side}.spread_rad", 0.15, 8, 28)
            turned(f"forearm_{side}.turn_rad", 0.3, -90, 30)
            turned(f"hand_{side}.bend_rad", 0.2, -20, 20)
    if "spine.curve_1_mm" not in pose and rng.random() < 0.2:
        bend = float(rng.normal(0, 14))
        pose |= {"spine.curve_1_mm": bend, "spine.curve_2_mm": float(rng.uniform(-0.8, 0.3)) * bend}
    for name in ("lumbar.height_log", "thorax.height_log", "neck.height_log", "pelvis.width_log", "thorax.width_log"):
        if rng.random() < 0.12:
            pose[name] = float(rng.normal(0, 0.10))
    return replace(scenario, person={**person, "pose": pose})


def _varied_uptake(rng: np.random.Generator, uptake: NormalUptake) -> NormalUptake:
    """Normal uptake with more spread by region and bone, and in part of the people brighter joints, face and so on."""
    names = default_skeleton().bones
    regions = np.array([bone_named(name).region for name in names])
    change = rng.normal(0, _REGION_LOG, 18)[regions] + rng.normal(0, _BONE_LOG, len(names))
    less = rng.random() > _AS_MODELLED
    if less:
        change += np.array([_REGIONS_LOG.get(int(region), 0.0) for region in regions])
    vertebra = np.array([name.startswith("vertebra") for name in names])
    if rng.random() < 0.5:
        change[vertebra] += rng.normal(0, _VERTEBRA_LOG, int(vertebra.sum()))
    if rng.random() < _BRIGHT:
        change[np.array([name.startswith(_FACE) for name in names])] += rng.uniform(0.2, 0.9)
    if rng.random() < _BRIGHT:  # the thoracic spine stands out from the ribs
        change[regions == 3] += rng.uniform(0.1, 0.5)
    if rng.random() < _BRIGHT:
        change[np.isin(regions, (8, 12, 13, 15, 16))] += rng.normal(0, 0.4)
    place_names = [place.name for place in bone_places()]
    places = rng.normal(0, _PLACE_LOG, len(place_names))
    joint = {stem: rng.normal(_PLACES_LOG.get(stem, 0.0) if less else 0.0, 0.35) for stem in _JOINTS}
    if rng.random() < _BRIGHT:
        joint = {stem: own + rng.uniform(0, 0.9) for stem, own in joint.items()}
    if rng.random() < 0.2:  # joints hardly to be seen
        joint = {stem: own - rng.uniform(0.3, 1.5) for stem, own in joint.items()}
    places += [next((own for stem, own in joint.items() if name.startswith(stem)), 0.0) for name in place_names]
    if rng.random() < _WORN:
        ours = [k for k, name in enumerate(place_names) if name.startswith(_JOINTS)]
        for k in rng.choice(ours, _many(rng, 1, 8), replace=False):
            places[k] += rng.uniform(0.3, 1.1)
    if rng.random() < _UNEVEN:
        uneven = rng.choice(_SIDES, int(rng.integers(1, 3)), replace=False)
        change[np.isin(names, uneven)] += rng.uniform(0.1, 0.35)
    return NormalUptake(bones=uptake.bones * np.exp(change), places=uptake.places * np.exp(places))
