"""A patient: a person with tracer, lesions and disturbances; activity and attenuation in every voxel, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bonescan.field import Field
from bonescan.patient.focus import Focus
from bonescan.patient.person import Person

__all__ = ["BoneTruth", "Lesion", "LesionTruth", "Patient", "Truth", "Volumes"]


class Lesion(Protocol):
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
    activity_kbq : float
        Of those voxels.
    suv_mean, suv_max : float
    centre_mm : (x, y, z)
        Of its voxels weighted by what it adds; the centre of its first focus if it has none.
    contrast : float
        Mean uptake in its voxels over what the same voxels would take up without any lesion; 1 where bone has no part.
    bones : mapping of str to float
        Volume in ml in each bone.
    """

    id: str
    kind: str
    bone: str
    volume_ml: float
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
    person : Person
    tracer : Radiopharmaceutical
    physiology : Physiology
    injected_mbq : float
    lesions, disturbances : tuple of Lesion
    uptake : NormalUptake, optional
        How this person's normal bone differs from the average. Default the average.
    """

    person: Person
    tracer: Any
    physiology: Any
    injected_mbq: float
    lesions: tuple[Lesion, ...] = ()
    disturbances: tuple[Lesion, ...] = ()
    uptake: Any = None

    def volumes(self, time_h: float = 3.0, spacing_mm: float = 4.0, energy_kev: float = 140.5) -> Volumes:
        """Activity and attenuation at a time after injection.

        Parameters
        ----------
        time_h : float
        spacing_mm : float
        energy_kev : float

        Returns
        -------
        Volumes
        """
        raise NotImplementedError
