"""A patient: a person with tracer, lesions and disturbances; activity and attenuation in every voxel, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.field import Field
from bonescan.patient.focus import Focus
from bonescan.patient.frames import LabelledBody
from bonescan.patient.sampling import SampledPatient, sample_patient
from bonescan.patient.uptake import NormalUptake, average_uptake
from bonescan.tracer.biokinetics import Physiology
from bonescan.tracer.radiopharmaceuticals import Radiopharmaceutical

__all__ = ["BoneTruth", "HasFoci", "LesionTruth", "Patient", "Subject", "Truth", "Volumes", "volumes_at"]

Array = NDArray[np.float64]

_LONGEST_H = 48.0  # later a short-lived tracer is gone, and with it every ratio to what is left


class Subject(Protocol):
    """Whose body it is: a `bonescan.patient.person.Person`, or a body from outside."""

    @property
    def sex(self) -> str:
        """``"male"`` or ``"female"``."""

    @property
    def age_years(self) -> float:
        """Age."""

    @property
    def mass_kg(self) -> float:
        """Mass, for standardised uptake values."""

    @property
    def handedness(self) -> str:
        """``"right"`` or ``"left"``."""

    def labelled(self, spacing_mm: float, foci: tuple[Focus, ...]) -> LabelledBody:
        """The body in voxels, on a grid that holds the foci too."""


class HasFoci(Protocol):
    """What a patient needs of a lesion or disturbance: a name, a kind, the bone it is told under, and its foci."""

    @property
    def id(self) -> str:
        """Unique among a patient's lesions and disturbances."""

    @property
    def kind(self) -> Any:
        """What it is; a `str` or a string enumeration."""

    @property
    def bone(self) -> str:
        """Id of the bone it lies in or on, or empty."""

    @property
    def foci(self) -> tuple[Focus, ...]:
        """Where the body differs, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneTruth:
    """One bone of one patient at one time.

    Parameters
    ----------
    bone : str
    volume_ml, mineral_g, activity_kbq : float
    suv_mean, suv_max : float
        Activity concentration, decay corrected to injection, over injected activity per gram of the person.
    centre_mm : (x, y, z)
        Of its voxels, in the body's frame.
    """

    bone: str
    volume_ml: float
    mineral_g: float
    activity_kbq: float
    suv_mean: float
    suv_max: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionTruth:
    """One lesion or disturbance of one patient at one time.

    Parameters
    ----------
    id, kind, bone : str
    volume_ml : float
        Of the voxels it touches with at least half their volume; 0 if it has none, as with a change of tracer alone.
    mineral_g, activity_kbq : float
        Of those voxels.
    suv_mean, suv_max : float
    centre_mm : (x, y, z)
        Of its voxels; the centre of its first focus if it has none.
    contrast : float
        Mean uptake in its voxels over what the same voxels would take up without any lesion; 1 where bone has no part.
    bones : mapping of str to float
        Volume in ml in each bone.
    """

    id: str
    kind: str
    bone: str
    volume_ml: float
    mineral_g: float
    activity_kbq: float
    suv_mean: float
    suv_max: float
    centre_mm: tuple[float, float, float]
    contrast: float
    bones: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of a simulated patient, and no reader may see.

    Parameters
    ----------
    time_h : float
    bones : mapping of str to BoneTruth
    lesions, disturbances : tuple
        In the patient's order.
    shares : mapping of str to float
        Share of the injected activity per compartment, ``"decayed"`` and ``"voided"`` among them; they sum to 1.
    """

    time_h: float
    bones: Mapping[str, BoneTruth]
    lesions: tuple[LesionTruth, ...]
    disturbances: tuple[LesionTruth, ...]
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volumes:
    """A patient in voxels at one time; all fields have one grid.

    Parameters
    ----------
    activity : Field
        kBq/mL. Its total is injected activity less what has decayed and been voided.
    attenuation : Field
        Narrow-beam, /cm.
    bones : Field
        int16: 0 none, k + 1 for bone k of the skeleton (`bonescan.anatomy.skeleton`).
    lesions : Field
        uint16: 0 none, k + 1 for lesion k of the patient. Disturbances are not in it.
    truth : Truth
    """

    activity: Field
    attenuation: Field
    bones: Field
    lesions: Field
    truth: Truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """A person with tracer.

    Parameters
    ----------
    person : Person or OutsideBody
    tracer : Radiopharmaceutical
    physiology : Physiology
        Without lesions: what they do to the clearance to bone is added.
    injected_mbq : float
        Positive.
    lesions, disturbances : tuple of HasFoci
        With ids of their own. Later ones lie over earlier ones in the field of lesions.
    uptake : NormalUptake
        How this person's normal bone differs from the average. Default not at all.

    Raises
    ------
    InvalidValue
        For an activity that is not positive, an id used twice, foci that hold more than was injected, or a physiology
        of another sex or mass than the person's.
    """

    person: Subject
    tracer: Radiopharmaceutical
    physiology: Physiology
    injected_mbq: float
    lesions: tuple[HasFoci, ...] = ()
    disturbances: tuple[HasFoci, ...] = ()
    uptake: NormalUptake = field(default_factory=average_uptake)

    def __post_init__(self) -> None:
        if not 0 < self.injected_mbq < float("inf"):
            raise InvalidValue(f"The injected activity is positive, got {self.injected_mbq} MBq.")
        groups = (*self.lesions, *self.disturbances)
        if len(self.lesions) > np.iinfo(np.uint16).max:  # their numbers in the field of lesions
            raise InvalidValue(f"A patient has at most 65535 lesions, got {len(self.lesions)}.", got=len(self.lesions))
        if len({lesion.id for lesion in groups}) < len(groups):
            raise InvalidValue(
                "Two of a patient's lesions or disturbances have one id.", ids=[one.id for one in groups]
            )
        added = sum(focus.added_fraction for lesion in groups for focus in lesion.foci)
        if added > 1:
            raise InvalidValue(f"Foci hold {added:.2f} of the injected activity, more than there is.", got=added)
        if self.physiology.sex != self.person.sex or abs(self.physiology.mass_kg / self.person.mass_kg - 1) > 0.01:
            raise InvalidValue(
                f"The physiology is that of a {self.physiology.sex} of {self.physiology.mass_kg:.0f} kg, the person a "
                f"{self.person.sex} of {self.person.mass_kg:.0f} kg: give both the same."
            )

    def sampled(self, spacing_mm: float = 4.0) -> SampledPatient:
        """The patient on a grid, for volumes at many times (`volumes_at`).

        Parameters
        ----------
        spacing_mm : float

        Returns
        -------
        SampledPatient
        """
        return sample_patient(self, spacing_mm)

    def volumes(self, time_h: float = 3.0, spacing_mm: float = 4.0, energy_kev: float = 140.5) -> Volumes:
        """Activity and attenuation at a time after injection.

        Parameters
        ----------
        time_h : float
            Hours, 0 to 48.
        spacing_mm : float
            Edge of a voxel, 1 to 20; a body from outside keeps its own.
        energy_kev : float
            20 to 600.

        Returns
        -------
        Volumes
        """
        return volumes_at(self.sampled(spacing_mm), time_h, energy_kev)


def volumes_at(sampled: SampledPatient, time_h: float = 3.0, energy_kev: float = 140.5) -> Volumes:
    """Volumes of a patient on a grid at one time.

    Parameters
    ----------
    sampled : SampledPatient
        From `Patient.sampled`.
    time_h : float
        Hours after injection, 0 to 48.
    energy_kev : float
        Of the attenuation.

    Returns
    -------
    Volumes

    Raises
    ------
    InvalidValue
        For a time before the injection, or when next to nothing is left.
    """
    if not 0 <= time_h <= _LONGEST_H:
        raise InvalidValue(f"The time lies 0 to {_LONGEST_H:g} h after the injection, got {time_h} h.", got=time_h)
    shares, weights = sampled.shares(time_h), sampled.weights(time_h)
    activity = sampled.activity(time_h, shares, weights)
    lesions = np.zeros(sampled.grid.shape, dtype=np.uint16)
    places = [sampled.voxels_of(k) for k in range(len(sampled.painted))]
    count = len(sampled.patient.lesions)
    for k in range(count):
        lesions.reshape(-1)[places[k]] = k + 1
    groups = (*sampled.patient.lesions, *sampled.patient.disturbances)
    told = tuple(
        _lesion_truth(sampled, k, lesion, place, activity, shares, weights)
        for k, (lesion, place) in enumerate(zip(groups, places, strict=True))
    )
    return Volumes(
        activity=activity,
        attenuation=sampled.attenuation(energy_kev),
        bones=Field(values=sampled.bone, grid=sampled.grid, unit="1"),
        lesions=Field(values=lesions, grid=sampled.grid, unit="1"),
        truth=Truth(
            time_h=time_h,
            bones=MappingProxyType(_bone_truths(sampled, activity, shares)),
            lesions=told[:count],
            disturbances=told[count:],
            shares=MappingProxyType(shares),
        ),
    )


def _suv_per_kbq_ml(sampled: SampledPatient, shares: Mapping[str, float]) -> float:
    """SUV of 1 kBq/ml: corrected for decay, over kBq injected per gram."""
    return sampled.patient.person.mass_kg / sampled.patient.injected_mbq / (1 - shares["decayed"])


def _bone_truths(sampled: SampledPatient, activity: Field, shares: Mapping[str, float]) -> dict[str, BoneTruth]:
    names, number, ml = default_skeleton().bones, sampled.number, sampled.grid.voxel_ml
    held = activity.values.reshape(-1)[sampled.index].astype(float)
    suv = _suv_per_kbq_ml(sampled, shares)
    many = np.bincount(number, minlength=len(names))
    total = np.bincount(number, held, len(names))
    mineral = np.bincount(number, sampled.mineral, len(names)) * ml
    most = np.zeros(len(names))
    np.maximum.at(most, number, held)
    place = sampled.grid.positions_mm(sampled.index)
    centre = np.stack([np.bincount(number, place[:, k], len(names)) for k in range(3)], axis=1)
    return {
        name: BoneTruth(
            bone=name,
            volume_ml=float(many[k] * ml),
            mineral_g=float(mineral[k]),
            activity_kbq=float(total[k] * ml),
            suv_mean=float(suv * total[k] / many[k]),
            suv_max=float(suv * most[k]),
            centre_mm=tuple((centre[k] / many[k]).tolist()),
        )
        for k, name in enumerate(names)
        if many[k]
    }


def _lesion_truth(
    sampled: SampledPatient,
    k: int,
    lesion: HasFoci,
    index: NDArray[np.int64],
    activity: Field,
    shares: Mapping[str, float],
    weights: Array,
) -> LesionTruth:
    names, ml = default_skeleton().bones, sampled.grid.voxel_ml
    held = activity.values.reshape(-1)[index].astype(float)
    suv = _suv_per_kbq_ml(sampled, shares)
    here, _ = sampled._in_bone(index)
    normal = float(sampled.weight[here].sum())
    many = np.bincount(sampled.number[here], minlength=len(names))
    centre = sampled.grid.positions_mm(index).mean(axis=0) if len(index) else sampled.painted[k][0].centre_mm
    return LesionTruth(
        id=lesion.id,
        kind=str(lesion.kind),
        bone=lesion.bone,
        volume_ml=float(len(index) * ml),
        mineral_g=float(sampled.mineral[here].sum() * ml),
        activity_kbq=float(held.sum() * ml),
        suv_mean=float(suv * held.mean()) if len(index) else 0.0,
        suv_max=float(suv * held.max()) if len(index) else 0.0,
        centre_mm=tuple(centre.tolist()),
        contrast=float(weights[here].sum()) / normal if normal > 0 else 1.0,
        bones=MappingProxyType({names[b]: float(many[b] * ml) for b in np.flatnonzero(many)}),
    )
