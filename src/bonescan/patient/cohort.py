"""A cohort: people as they come to a clinic, drawn from a seed, each the same whether or not the others were made.

A person of the cohort is a `Scenario` drawn first, with what is published where something is, then made a patient
like any other. `FREQUENCIES` says how common everything is, with its source. Metastases follow the sites of World J
Radiol 2024;16(7): 265 [V]: with the latent extent e of a person's disease, normal, site s holds metastases if ::

    sqrt(rho) e + sqrt(1 - rho) z_s > F^-1(1 - n_s / 81)

with n_s patients of 81 with metastases there, so the shares of patients are the published ones while few patients
have few sites and some have all; rho = 0.6 is ours [D]. The most extended 10 of 81 are superscans.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import ndtri

from bonescan.errors import InvalidValue
from bonescan.patient.lesions.joints import JOINTS
from bonescan.patient.lesions.malignant import METASTASIS_SITES
from bonescan.patient.scenario import Finding, Scenario
from bonescan.patient.volumes import Patient

__all__ = ["COHORTS", "FREQUENCIES", "Cohort", "Frequency", "draw_patient", "draw_scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How common something is.

    Parameters
    ----------
    men, women : float
        Share of the old who have it, 0 to 1.
    half_age : float, optional
        Age at which half that share has it; the share is the same at every age where this is absent.
    young : bool
        Common under that age instead of above it.
    source : str
        Where the share is from, or ``"design"``.
    """

    men: float
    women: float
    half_age: float | None = None
    young: bool = False
    source: str = "design"

    def __post_init__(self) -> None:
        if not (0 <= self.men <= 1 and 0 <= self.women <= 1):
            raise InvalidValue(f"A frequency lies between 0 and 1, got {self.men}, {self.women}.")

    def at(self, sex: str, age_years: float) -> float:
        """Share of the people of a sex and age.

        Parameters
        ----------
        sex : str
        age_years : float

        Returns
        -------
        float
        """
        share = self.men if sex == "male" else self.women
        if self.half_age is None:
            return share
        steep = (age_years - self.half_age) / 8.0 * (-1 if self.young else 1)
        return share / (1 + math.exp(-steep))


_WJR = "World J Radiol 2024;16(7):265, 150 patients: 7 isolated rib foci benign, 3 of them fractures [V, rounded up]"

FREQUENCIES: Mapping[str, Frequency] = MappingProxyType(
    {
        # lesions that are no metastases
        "degenerative_spine": Frequency(men=0.70, women=0.70, half_age=58),
        "facets": Frequency(men=0.18, women=0.18, half_age=58),
        "arthritis": Frequency(men=1.0, women=1.0, half_age=58),  # of JOINTS' own shares
        "rheumatoid_arthritis": Frequency(men=0.005, women=0.015),
        "rib_fractures": Frequency(men=0.06, women=0.06, source=_WJR),
        "vertebral_fracture": Frequency(men=0.06, women=0.16, half_age=72),
        "sacral_insufficiency": Frequency(men=0.004, women=0.025, half_age=72),
        "fracture": Frequency(men=0.05, women=0.05),
        "stress_fracture": Frequency(men=0.05, women=0.05, half_age=35, young=True),
        "prosthesis_hip": Frequency(men=0.06, women=0.07, half_age=70),
        "prosthesis_knee": Frequency(men=0.06, women=0.08, half_age=70),
        "amputation": Frequency(men=0.006, women=0.003, half_age=60),
        "avascular_necrosis": Frequency(men=0.008, women=0.005),
        "osteomyelitis": Frequency(men=0.012, women=0.008),
        "cellulitis": Frequency(men=0.006, women=0.006),
        "paget": Frequency(men=0.02, women=0.012, half_age=65),
        "fibrous_dysplasia": Frequency(men=0.004, women=0.004),
        "regional_pain": Frequency(men=0.005, women=0.01),
        "hypertrophic_osteoarthropathy": Frequency(men=0.006, women=0.004),
        "metabolic_superscan": Frequency(men=0.004, women=0.006),
        "dental_work": Frequency(men=0.15, women=0.15),
        # what misleads
        "injection_site": Frequency(men=0.40, women=0.40),
        "extravasation": Frequency(
            men=0.155,
            women=0.155,
            source="9 studies, 13 centres, 3,439 patients, most with F-18: 15.5 % (a vendor's list of references) [V2]",
        ),
        "arterial_injection": Frequency(men=0.002, women=0.002),
        "urine_on_skin": Frequency(men=0.05, women=0.03),
        "urine_on_clothing": Frequency(men=0.03, women=0.02),
        "catheter_bag": Frequency(men=0.04, women=0.02, half_age=60),
        "belt_buckle": Frequency(men=0.02, women=0.01),
        "pocket_metal": Frequency(men=0.015, women=0.01),
        "necklace": Frequency(men=0.005, women=0.03),
        "pacemaker": Frequency(men=0.06, women=0.04, half_age=75),
        "contrast": Frequency(men=0.01, women=0.01),
        "breast_prosthesis": Frequency(men=0.0, women=0.04),
        "recent_other_tracer": Frequency(men=0.008, women=0.008),
        "compression": Frequency(men=0.005, women=0.005),
        "motion": Frequency(men=0.06, women=0.06),
        "full_bladder": Frequency(men=0.12, women=0.10),
        "kidney_failure": Frequency(men=0.02, women=0.02),
        "free_pertechnetate": Frequency(men=0.01, women=0.01),
        "colloid": Frequency(men=0.005, women=0.005),
        "too_early": Frequency(men=0.02, women=0.02),
        "too_late": Frequency(men=0.02, women=0.02),
        "scoliosis": Frequency(men=0.04, women=0.07),
    }
)
"""How common mimics and disturbances are in the default cohort."""

# The series: 30 typical scans and 51 settled by tomography had metastases [V].
_PATIENTS, _METASTATIC, _SUPERSCANS = 150, 81, 10
_COMMON_EXTENT = 0.6  # rho [D]
# Further metastases at a site that has one, at the median extent [D]: more where there is more bone.
_MORE = {"pelvis": 1.2, "vertebra": 1.9, "rib": 1.5, "sternum": 0.2, "femur": 0.6, "scapula": 0.5, "skull": 0.6,
         "clavicle": 0.1, "humerus": 0.4}  # fmt: skip
# A superscan spares these sites here; so that their shares stay as published the others' are raised by about what
# would have fallen to the ten superscans [C].
_SPARED = {"skull": 8, "tibia": 2, "forearm": 1, "maxilla": 1}
_LYTIC = {"male": 0.05, "female": 0.20}  # breast and lung have more of them than prostate [M]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Who comes, and what they have.

    Parameters
    ----------
    women : float
        Share, 0 to 1.
    age_years : (mean, spread)
        Normal, kept between 20 and 95.
    metastatic : float
        Share with metastases; 81 of 150 as in the published series of people with prostate cancer.
    frequencies : mapping of str to Frequency
        In place of those in `FREQUENCIES` of the same name.

    Raises
    ------
    InvalidValue
        For a share outside 0 to 1, an age outside its range or an unknown name.
    """

    women: float = 0.4
    age_years: tuple[float, float] = (66.0, 11.0)
    metastatic: float = _METASTATIC / _PATIENTS
    frequencies: Mapping[str, Frequency] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (0 <= self.women <= 1 and 0 <= self.metastatic <= 1):
            raise InvalidValue(f"A cohort's shares lie between 0 and 1, got {self.women}, {self.metastatic}.")
        mean, spread = self.age_years
        if not (20 <= mean <= 95 and 0 <= spread < math.inf):
            raise InvalidValue(
                f"A cohort's mean age lies between 20 and 95, its spread at 0 or more; got {mean}, {spread}."
            )
        if unknown := set(self.frequencies) - set(FREQUENCIES):
            raise InvalidValue(f"A cohort knows no frequency of {sorted(unknown)}; it knows {', '.join(FREQUENCIES)}.")


def _benign(times: float) -> Mapping[str, Frequency]:
    """Lesions that are no metastases, so many times as common as by default (at most 90 %), at every age."""
    names = (*itertools.takewhile(lambda name: name != "injection_site", FREQUENCIES), "scoliosis")
    return {
        name: Frequency(men=min(0.9, times * own.men), women=min(0.9, times * own.women))
        for name, own in FREQUENCIES.items()
        if name in names
    }


COHORTS: Mapping[str, Cohort] = MappingProxyType(
    {
        "cohort": Cohort(),
        "cohort:normal": Cohort(metastatic=0.0, frequencies=_benign(0)),
        "cohort:mimics": Cohort(metastatic=0.0, frequencies=_benign(3)),
        "cohort:metastatic": Cohort(metastatic=1.0),
    }
)
"""Cohorts by name: people of a clinic; without any lesion; with lesions that are no metastases, each three times as
common as in the first and at every age [D], so that hardly anybody has none; with metastases, beside whatever else they
have. What misleads, injection sites and urine among it, is as common in all of them."""


def draw_scenario(seed: int, number: int, cohort: Cohort | None = None) -> Scenario:
    """The scenario of one person of a cohort.

    Parameters
    ----------
    seed : int
        Of the cohort, at least 0.
    number : int
        Of the person, at least 0.
    cohort : Cohort, optional
        The default cohort where it is not given.

    Returns
    -------
    Scenario
        It depends on its arguments alone.
    """
    cohort = Cohort() if cohort is None else cohort
    rng = np.random.default_rng(_seed(seed, number, 0))
    sex = "female" if rng.random() < cohort.women else "male"
    age = float(np.clip(rng.normal(*cohort.age_years), 20, 95))
    person: dict[str, Any] = {"sex": sex, "age_years": age}
    physiology: dict[str, Any] = {}
    protocol: dict[str, Any] = {"time_h": float(np.clip(rng.normal(3.2, 0.5), 2.0, 5.0))}
    lesions = [*_metastases(rng, cohort, sex), *_mimics(rng, cohort, sex, age, physiology)]
    disturbances = _disturbances(rng, cohort, sex, age)
    _settings(rng, cohort, sex, age, person, physiology, protocol, lesions)
    return Scenario(
        title=f"person {number} of the cohort with seed {seed}",
        person=person,
        physiology=physiology,
        protocol=protocol,
        lesions=tuple(lesions),
        disturbances=tuple(disturbances),
    )


def draw_patient(seed: int, number: int, cohort: Cohort | None = None) -> Patient:
    """One patient of a cohort.

    Parameters
    ----------
    seed : int
        Of the cohort, at least 0.
    number : int
        Of the person, at least 0.
    cohort : Cohort, optional
        The default cohort where it is not given.

    Returns
    -------
    Patient
    """
    return draw_scenario(seed, number, cohort).patient(_seed(seed, number, 1))


def _seed(seed: int, number: int, what: int) -> np.random.SeedSequence:
    if seed < 0 or number < 0:
        raise InvalidValue(f"A cohort's seed and number are at least 0, got {seed} and {number}.")
    return np.random.SeedSequence(seed, spawn_key=(number, what))


# --- what people have ----------------------------------------------------------------------------------


def _metastases(rng: np.random.Generator, cohort: Cohort, sex: str) -> list[Finding]:
    extent = rng.normal()
    own = rng.normal(size=len(METASTASIS_SITES))
    if rng.random() >= cohort.metastatic:
        return []
    if extent > ndtri(1 - _SUPERSCANS / _METASTATIC):
        return [Finding(kind="metastatic_superscan", told={"contrast": float(rng.uniform(3, 6))})]
    latent = math.sqrt(_COMMON_EXTENT) * extent + math.sqrt(1 - _COMMON_EXTENT) * own
    counts = np.array([n + _SPARED.get(site, 0) for site, n in METASTASIS_SITES.items()], dtype=float)
    present = [
        site for site, z, n in zip(METASTASIS_SITES, latent, counts, strict=True) if z > ndtri(1 - n / _METASTATIC)
    ]
    if not present:
        present = [str(rng.choice(list(METASTASIS_SITES), p=counts / counts.sum()))]
    found = []
    for site in present:
        count = 1 + int(min(rng.poisson(_MORE.get(site, 0.1) * math.exp(0.9 * extent)), 40))
        lytic = int(rng.binomial(count, _LYTIC[sex]))
        for kind, number in (("metastasis", count - lytic), ("lytic_metastasis", lytic)):
            if number:
                found.append(Finding(kind=kind, told={"bone": site, "count": number}))
    return found


def _chances(rng: np.random.Generator, cohort: Cohort, sex: str, age: float) -> Callable[[str], bool]:
    """Draws whether a person of that sex and age has what is named."""

    def has(name: str) -> bool:
        frequency = cohort.frequencies.get(name, FREQUENCIES[name])
        return bool(rng.random() < frequency.at(sex, age))

    return has


def _mimics(
    rng: np.random.Generator, cohort: Cohort, sex: str, age: float, physiology: dict[str, Any]
) -> list[Finding]:
    has = _chances(rng, cohort, sex, age)

    def side() -> str:
        return str(rng.choice(["left", "right"]))

    def age_days(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(math.log(low), math.log(high))))

    found = []

    def add(kind: str, **told: Any) -> None:
        found.append(Finding(kind=kind, told=told))

    if has("degenerative_spine"):
        add("degenerative_spine")
    if has("facets"):
        add("degenerative_spine", facets=True)
    worn = cohort.frequencies.get("arthritis", FREQUENCIES["arthritis"]).at(sex, age)
    for joint, (_, _, _, share) in JOINTS.items():
        if rng.random() < worn * share:
            add("arthritis", joints=(joint,), side=str(rng.choice(["left", "right", "both"], p=[0.3, 0.3, 0.4])))
    if has("rheumatoid_arthritis"):
        add("arthritis", joints=("fingers", "wrist", "knee_medial", "ankle"), inflamed=True)
    if has("rib_fractures"):
        add("rib_fractures", age_days=age_days(5, 500), count=int(rng.integers(1, 6)))
    if has("vertebral_fracture"):
        add("vertebral_fracture", age_days=age_days(10, 900))
    if has("sacral_insufficiency"):
        add("sacral_insufficiency", age_days=age_days(10, 300))
    if has("fracture"):
        bone = str(rng.choice(["humerus", "radius", "femur", "tibia", "clavicle", "fibula"]))
        letter = side()[0]
        add("fracture", bone=f"{bone}_{letter}", fraction=float(rng.uniform(0.08, 0.92)), age_days=age_days(7, 1500))
    if has("stress_fracture"):
        site = str(rng.choice(["tibia", "metatarsal", "femoral_neck", "calcaneus"], p=[0.5, 0.3, 0.1, 0.1]))
        add("stress_fracture", site=site, side=side(), age_days=age_days(10, 200))
    operated = []
    for joint in ("hip", "knee"):
        if has(f"prosthesis_{joint}"):
            operated.append((joint, side()))
            state = str(rng.choice(["none", "aseptic", "infected"], p=[0.82, 0.14, 0.04]))
            add("prosthesis", joint=joint, side=operated[-1][1], loosening=state, contrast=float(rng.uniform(2, 4)))
    if has("avascular_necrosis") and not operated:
        add("avascular_necrosis", side=side(), stage=str(rng.choice(["cold", "rim", "hot"])))
    if has("osteomyelitis"):
        bone = str(rng.choice(["tibia", "femur", "tarsal_calcaneus", "metatarsal_1"]))
        add("osteomyelitis", bone=f"{bone}_{side()[0]}", fraction=float(rng.uniform(0.1, 0.9)),
            diameter_mm=float(rng.uniform(20, 60)))  # fmt: skip
    if has("cellulitis"):
        add("cellulitis", limb=str(rng.choice(["shank", "foot"])), side=side())
    if has("paget"):
        # pelvis, spine, femur, skull and tibia are the usual bones, the lower limb's more than the upper's [V2]
        bones = ["hip_bone_l", "hip_bone_r", "sacrum", "vertebra_l03", "vertebra_t10", "femur_l", "femur_r", "tibia_l",
                 "tibia_r", "skull_frontal", "humerus_l", "humerus_r"]  # fmt: skip
        weight = np.array([4, 4, 2, 3, 2, 3, 3, 2, 2, 2, 1, 1], dtype=float)
        chosen = rng.choice(bones, int(rng.integers(1, 5)), replace=False, p=weight / weight.sum())
        add("paget", bones=tuple(str(bone) for bone in chosen))
    if has("fibrous_dysplasia"):
        letter = side()[0]
        stem = rng.choice(["femur", "tibia", "rib_06", "humerus", "hip_bone"], int(rng.integers(1, 4)), replace=False)
        add("fibrous_dysplasia", bones=tuple(f"{bone}_{letter}" for bone in stem))
    if has("regional_pain"):
        stage = str(rng.choice(["early", "middle", "late"], p=[0.5, 0.3, 0.2]))
        add("regional_pain", limb=str(rng.choice(["hand", "foot"])), side=side(), stage=stage)
    if has("hypertrophic_osteoarthropathy"):
        add("hypertrophic_osteoarthropathy")
    if has("metabolic_superscan"):
        physiology["bone_turnover"] = float(rng.uniform(2.0, 3.5))
        add("metabolic_superscan", contrast=float(rng.uniform(1.6, 2.6)))
    if has("amputation") and not operated:
        add("amputation", level=str(rng.choice(["below_knee", "above_knee"])), side=side())
    if has("dental_work"):
        add("dental_work")
    return found


def _disturbances(rng: np.random.Generator, cohort: Cohort, sex: str, age: float) -> list[Finding]:
    has = _chances(rng, cohort, sex, age)
    side = str(rng.choice(["left", "right"], p=[0.55, 0.45]))
    site = str(rng.choice(["elbow", "hand", "forearm"], p=[0.65, 0.25, 0.10]))
    found = []
    if has("extravasation"):
        share = float(np.clip(0.01 * math.exp(1.0 * rng.normal()), 0.001, 0.2))
        node = share * 0.04 if rng.random() < 0.4 else 0.0
        found.append(
            Finding(kind="extravasation", told={"site": site, "side": side, "fraction": share, "node_fraction": node})
        )
    elif has("injection_site"):
        found.append(Finding(kind="injection_site", told={"site": site, "side": side}))
    if has("arterial_injection"):
        found.append(Finding(kind="arterial_injection", told={"side": side}))
    for kind in (
        "urine_on_skin", "urine_on_clothing", "catheter_bag", "belt_buckle", "pocket_metal", "necklace", "pacemaker",
        "contrast", "breast_prosthesis", "recent_other_tracer", "compression",
    ):  # fmt: skip
        if has(kind):
            sided = kind in ("urine_on_skin", "catheter_bag", "breast_prosthesis")
            told = {"side": str(rng.choice(["left", "right"]))} if sided else {}
            found.append(Finding(kind=kind, told=told))
    return found


def _settings(
    rng: np.random.Generator,
    cohort: Cohort,
    sex: str,
    age: float,
    person: dict[str, Any],
    physiology: dict[str, Any],
    protocol: dict[str, Any],
    lesions: list[Finding],
) -> None:
    """What concerns the whole patient or the scan."""
    has = _chances(rng, cohort, sex, age)
    if has("full_bladder"):
        person["bladder_ml"] = float(rng.uniform(300, 600))
    if has("kidney_failure"):
        physiology["gfr_ml_per_min"] = float(rng.uniform(3, 25))
    if has("free_pertechnetate"):
        physiology["free_pertechnetate_fraction"] = float(rng.uniform(0.05, 0.3))
    elif has("colloid"):
        physiology["colloid_fraction"] = float(rng.uniform(0.05, 0.3))
    if has("too_early"):
        protocol["time_h"] = float(rng.uniform(0.75, 1.75))
    elif has("too_late"):
        protocol["time_h"] = float(rng.uniform(5.5, 9))
    if "bladder_ml" in person:  # voided once, half-way: who never did would hold a third of the tracer
        physiology["voids_h"] = (0.5 * protocol["time_h"],)
    if has("scoliosis"):
        bend = float(rng.choice([-1, 1]) * rng.uniform(14, 28))
        person["pose"] = {"spine.curve_1_mm": bend, "spine.curve_2_mm": -0.5 * bend}
        lesions.append(
            Finding(
                kind="degenerative_spine",
                told={"levels": ("vertebra_l02", "vertebra_l03"), "side": "right" if bend > 0 else "left"},
            )
        )
    if has("motion"):
        if rng.random() < 0.5:
            pose = {"head.turn_rad": float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.6))}
        else:
            letter = str(rng.choice(["l", "r"]))
            pose = {f"arm_{letter}.spread_rad": float(rng.uniform(0.08, 0.3))}
        protocol["motions"] = ({"at_fraction": float(rng.uniform(0.05, 0.5)), "pose": pose},)
