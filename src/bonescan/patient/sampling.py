"""A patient in voxels: all that does not depend on time, prepared once; activity and attenuation at any time from it.

In every voxel the concentration is ::

    C = b B / sum(b V) + f S / sum(f V) + w K / sum(w V) + organs' shares + what lies there besides

with the activities B of blood, S of extravascular fluid and K of bone by the kinetics, and b, f (ml/ml) and w (weight)
of the voxel, each times what foci make of it. A focus with factor F makes of a weight w in bone of mean weight m ::

    w' = w + (F g - 1) p m    for F above 1,        w' = w (1 + (F - 1) p)    else

where p is its profile and g(t) = late_gain^(ln(t / 3 h) / ln 6) its slower or longer gathering: 1 at 3 h, and g(24 h)
over g(4 h) is ``late_gain``. New bone forms beside what is there, so a metastasis is as hot in the marrow of a
shaft as in its cortex. As foci raise the sum of weights at 3 h, plasma loses tracer to bone faster by the same
factor (`Physiology.bone_turnover`); soft tissue and kidneys fade in a superscan by that alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.medium import Medium
from bonescan.anatomy.mineral import MARROW_G_PER_ML, MINERAL_BONE_G_PER_ML, bone_mineral, mineral_by_depth
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tissues import attenuation_per_cm, mass_coefficients, tissue
from bonescan.errors import InvalidValue
from bonescan.field import Field, Grid
from bonescan.patient.flow import add_first_pass
from bonescan.patient.focus import Focus
from bonescan.patient.frames import BoneFrames, LabelledBody
from bonescan.patient.painting import PaintedFocus, paint_focus
from bonescan.patient.spread import ORGANS_OF, fluids
from bonescan.patient.uptake import bone_places, growth_places, long_axes, weights_of_bone
from bonescan.tracer.biokinetics import kinetics
from bonescan.tracer.circulation import blood_shares

if TYPE_CHECKING:
    from bonescan.patient.volumes import HasFoci, Patient

__all__ = ["SampledPatient", "sample_patient"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Kind = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # organ and tissue of voxels

_SEEN = 0.5  # of a voxel's volume makes it a focus's own
_MIXED_S = 180.0  # after that a bolus is mixed into all blood: three circulations
_FIRST_H = 1 / 60  # the gathering of a lesion is not told earlier
_MINERAL, _MARROW = "mineral bone", "red marrow"
_MINERAL_STEPS = 64  # of materials of bone
_MOST_MATERIALS = 256 - _MINERAL_STEPS - 1  # besides them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledPatient:
    """A patient's voxels without time; made by `sample_patient`.

    Parameters
    ----------
    patient : Patient
    grid : Grid
    tissues, organs : tuple of str
    tissue, organ : (slice, row, column) ndarray of uint8
    bone : (slice, row, column) ndarray of int16
        As in `bonescan.anatomy.voxels.VoxelBody`, with what foci replaced.
    density : ndarray of float32 or None
        Of a body with a CT, g/ml.
    counts : (1 + organ, tissue) ndarray of int
        Voxels of each kind.
    index : (voxel,) ndarray of int
        The voxels of bone in the flattened grid, ascending; arrays below run along it.
    number : (voxel,) ndarray of int
        Index of the bone.
    weight : (voxel,) ndarray
        Normal uptake.
    level : (bone,) ndarray
        Mean normal weight of each bone, joints apart.
    mineral : (voxel,) ndarray
        Mineral bone in g/ml.
    painted : tuple of tuple of PaintedFocus
        By lesion, then by disturbance.
    site, vein : PaintedFocus
        Where the tracer was injected, and the vein it runs up the arm in.
    """

    patient: Patient
    grid: Grid
    tissues: tuple[str, ...]
    organs: tuple[str, ...]
    tissue: NDArray[np.uint8]
    organ: NDArray[np.uint8]
    bone: NDArray[np.int16]
    density: NDArray[np.float32] | None
    counts: Index
    index: Index
    number: Index
    weight: Array
    level: Array
    mineral: Array
    painted: tuple[tuple[PaintedFocus, ...], ...]
    site: PaintedFocus
    vein: PaintedFocus

    def weights(self, time_h: float, without: int = -1) -> Array:
        """Uptake weights of the bone's voxels with all foci.

        Parameters
        ----------
        time_h : float
        without : int
            Lesion, or disturbance counted after the lesions, that is left out; none by default.

        Returns
        -------
        (voxel,) ndarray
        """
        out = self.weight.copy()
        late = math.log(max(time_h, _FIRST_H) / 3) / math.log(6)
        for painted in self._foci(without):
            focus = painted.focus
            effects = [
                (factor * focus.late_gain**late if factor > 1 else factor) - 1
                for factor in (focus.uptake_factor, focus.core_factor if focus.profile == "rim" else 1.0)
            ]
            if not any(effects):
                continue
            here, own = self._in_bone(painted.index)
            main, core = painted.main[own], painted.core[own]
            more = max(effects[0], 0) * main + max(effects[1], 0) * core
            less = min(effects[0], 0) * main + min(effects[1], 0) * core
            out[here] = out[here] * (1 + less) + more * self.level[self.number[here]]
        return out

    def shares(self, time_h: float) -> dict[str, float]:
        """Share of the injected activity per compartment; they sum to 1.

        Parameters
        ----------
        time_h : float

        Returns
        -------
        dict of str to float
            The kinetics' compartments, ``"decayed"``, ``"voided"``, and ``"foci"``: what foci hold besides.
        """
        normal = float(self.weight.sum())
        turnover = float(self.weights(3.0).sum()) / normal if normal > 0 else 1.0
        physiology = self.patient.physiology
        physiology = replace(physiology, bone_turnover=physiology.bone_turnover * turnover)
        shares = kinetics(self.patient.tracer, physiology).shares(time_h)
        added = sum(painted.focus.added_fraction for painted in self._foci())
        decayed = shares.pop("decayed")
        held = {name: (1 - added) * share for name, share in shares.items()}
        return {**held, "decayed": decayed, "foci": added * (1 - decayed)}

    def activity(self, time_h: float, shares: Mapping[str, float], weights: Array) -> Field:
        """Activity of every voxel.

        Parameters
        ----------
        time_h : float
        shares : mapping of str to float
            From `shares` at that time.
        weights : (voxel,) ndarray
            From `weights` at that time.

        Returns
        -------
        Field
            kBq/mL, float32. Rounding leaves the sum off by less than 1e-9 of it: what is missing is put
            into single voxels, at most a hundredth of what they hold.
        """
        injected = 1000 * self.patient.injected_mbq
        held = {name: injected * share for name, share in shares.items() if name not in ("decayed", "voided")}
        blood, fluid = fluids(self.organs, self.tissues)
        extra, factor = self._blood_factors()
        kind = self.organ.reshape(-1)[extra], self.tissue.reshape(-1)[extra]
        table = np.zeros(self.counts.shape)
        for name, relative in ORGANS_OF.items():
            rows = np.array([0.0, *(_relative(organ, relative) for organ in self.organs)])
            room = float(rows @ self.counts.sum(axis=1))
            if held[name] > 0 and room > 0:
                table += (rows * (held[name] / room))[:, None]
            else:
                held["soft_tissue"] += held[name]
        if (total := float(weights.sum())) <= 0:
            held["soft_tissue"] += held["bone"]
        out = np.empty(self.grid.shape, dtype=np.float32)
        flat, ml = out.reshape(-1), self.grid.voxel_ml
        first_pass = 3600 * time_h < _MIXED_S
        fine = _per_voxel(held["soft_tissue"], fluid, self.counts, kind, factor)
        if not first_pass:
            fine += _per_voxel(held["blood"], blood, self.counts, kind, factor)
        _fill(self.organ, self.tissue, ((table + fine) / ml).astype(np.float32), out)
        flat[extra] += (fine[kind] * (factor - 1) / ml).astype(np.float32)
        if first_pass:
            bolus = blood_shares(3600 * time_h, self.patient.physiology.cardiac_output_l_per_min)
            if not self.vein.cover.sum():
                bolus["trunk"] += bolus.pop("arm_vein")
            in_vein = bolus.pop("arm_vein", 0.0)
            shares_ml = {name: held["blood"] * share / ml for name, share in bolus.items()}
            add_first_pass(out, shares_ml, blood, self.bone, self.organ, self.organs, self.tissue, extra, factor)
            self._add(flat, self.vein, held["blood"] * in_vein)
        if total > 0:
            flat[self.index] += (weights * (held["bone"] / total / ml)).astype(np.float32)
        self._add(flat, self.site, held["injection_site"])
        for painted in self._foci():
            self._add(flat, painted, painted.focus.added_fraction * injected * (1 - shares["decayed"]))
        target = injected * (1 - shares["decayed"] - shares["voided"])
        for _ in range(3):  # again for the rounding of the first, in ever cooler voxels
            missing = target / ml - float(flat.sum(dtype=np.float64))
            cool = _coolest_above(flat, np.float32(100 * abs(missing)))
            if missing and cool >= 0:
                flat[cool] += missing
        return Field(values=out, grid=self.grid, unit="kBq/mL")

    def excess(self, lesion: int, time_h: float, shares: Mapping[str, float], weights: Array) -> tuple[Index, Array]:
        """What one lesion adds to the activity: its voxels against the same without it, all else left as it is.

        Shares and what a weight of bone takes up stay those of the patient with all lesions, so the rest of the body
        has no part in it; what a tissue that a lesion puts in place of another hides has none either.

        Parameters
        ----------
        lesion : int
            Or a disturbance, counted after the lesions.
        time_h : float
            At least 3 minutes: in the first pass blood is shared out otherwise.
        shares : mapping of str to float
            From `shares` at that time.
        weights : (voxel,) ndarray
            From `weights` at that time.

        Returns
        -------
        index : (voxel,) ndarray of int
            Into the flattened grid, ascending.
        kbq_per_ml : (voxel,) ndarray
            Below 0 where there is less than without it.
        """
        injected = 1000 * self.patient.injected_mbq
        ml = self.grid.voxel_ml
        parts: list[tuple[Index, Array]] = []
        if (total := float(weights.sum())) > 0:
            change = weights - self.weights(time_h, without=lesion)
            here = np.flatnonzero(change)
            parts.append((self.index[here], change[here] * (injected * shares["bone"] / total / ml)))
        if any(painted.focus.blood_factor != 1 for painted in self.painted[lesion]):
            parts.append(self._blood_excess(lesion, injected * shares["blood"], injected * shares["soft_tissue"]))
        for painted in self.painted[lesion]:
            held = painted.focus.added_fraction * injected * (1 - shares["decayed"])
            if held > 0:
                parts.append((painted.index, painted.cover * (held / painted.cover.sum() / ml)))
        if not parts:
            return np.empty(0, dtype=np.int64), np.empty(0)
        index, back = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        return index, np.bincount(back, np.concatenate([part[1] for part in parts]), len(index)).astype(float)

    def attenuation(self, energy_kev: float) -> Field:
        """Narrow-beam attenuation of every voxel.

        Parameters
        ----------
        energy_kev : float

        Returns
        -------
        Field
            1/cm, float32.
        """
        per_cm = np.array([attenuation_per_cm(name, energy_kev) for name in self.tissues], dtype=np.float32)
        out = np.empty(self.grid.shape, dtype=np.float32)
        if self.density is None:
            _fill(self.organ, self.tissue, np.tile(per_cm, (self.counts.shape[0], 1)), out)
        else:
            own = np.array([tissue(name).density_g_per_ml for name in self.tissues], dtype=np.float32)
            np.multiply((per_cm / own)[self.tissue], self.density, out=out)
        solid, marrow = (sum(mass_coefficients(name, energy_kev)) for name in (_MINERAL, _MARROW))
        space = 1 - self.mineral / MINERAL_BONE_G_PER_ML
        out.reshape(-1)[self.index] = solid * self.mineral + marrow * space * MARROW_G_PER_ML
        return Field(values=out, grid=self.grid, unit="/cm")

    def medium(self) -> Medium:
        """What photons pass through.

        Returns
        -------
        Medium
            Bone in steps of 0.03 g/ml of mineral, tissues of a body with a CT in steps of 0.05 g/ml (coarser ones where
            there are more than fit); else each tissue with its own density.
        """
        material = self.tissue
        materials: list[Mapping[str, float]] = [{name: tissue(name).density_g_per_ml} for name in self.tissues]
        if self.density is not None:
            material, materials = _by_density(self.tissue, self.density, self.tissues)
        step = MINERAL_BONE_G_PER_ML / _MINERAL_STEPS
        level = np.rint(self.mineral / step)
        material = material.copy()
        material.reshape(-1)[self.index] = (len(materials) + level).astype(np.uint8)
        for k in range(_MINERAL_STEPS + 1):
            space = 1 - k / _MINERAL_STEPS
            materials.append({_MINERAL: k * step, _MARROW: space * MARROW_G_PER_ML})
        return Medium(grid=self.grid, material=material, materials=tuple(materials))

    def voxels_of(self, lesion: int) -> Index:
        """Voxels of a lesion, or of a disturbance counted after the lesions.

        Parameters
        ----------
        lesion : int

        Returns
        -------
        (voxel,) ndarray of int
            Into the flattened grid, ascending: covered by half or more, or else the one covered most.
        """
        out = []
        for painted in self.painted[lesion]:
            most = painted.cover.max(initial=0.0)
            out.append(painted.index[painted.cover >= min(_SEEN, most)] if most > 0 else painted.index[:0])
        return np.unique(np.concatenate(out)) if out else np.empty(0, dtype=np.int64)

    def _foci(self, without: int = -1) -> tuple[PaintedFocus, ...]:
        return tuple(painted for k, group in enumerate(self.painted) if k != without for painted in group)

    def _in_bone(self, index: Index) -> tuple[Index, NDArray[np.bool_]]:
        """Places of voxels along the arrays of bone, and which of them are bone at all."""
        if not len(self.index):
            return np.empty(0, dtype=np.int64), np.zeros(len(index), dtype=bool)
        place = np.minimum(np.searchsorted(self.index, index), len(self.index) - 1)
        own = self.index[place] == index
        return place[own], own

    def _blood_factors(self, without: int = -1) -> tuple[Index, Array]:
        parts = [
            (painted.index, 1 + (painted.focus.blood_factor - 1) * (painted.main + painted.core))
            for painted in self._foci(without)
            if painted.focus.blood_factor != 1
        ]
        if not parts:
            return np.empty(0, dtype=np.int64), np.empty(0)
        index, back = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        factor = np.ones(len(index))
        np.multiply.at(factor, back, np.concatenate([part[1] for part in parts]))
        return index, factor

    def _blood_excess(self, lesion: int, blood_kbq: float, fluid_kbq: float) -> tuple[Index, Array]:
        """What the hyperaemia of one lesion adds; where lesions share a voxel their factors multiply."""
        index, factor = self._blood_factors()
        others, without = self._blood_factors(without=lesion)
        kind = self.organ.reshape(-1)[index], self.tissue.reshape(-1)[index]
        fine = sum(
            _per_voxel(held, per_ml, self.counts, kind, factor)
            for held, per_ml in zip((blood_kbq, fluid_kbq), fluids(self.organs, self.tissues), strict=True)
        )
        change = factor.copy()
        change[np.searchsorted(index, others)] -= without
        change[~np.isin(index, others, assume_unique=True)] -= 1
        own = np.flatnonzero(change)
        return index[own], np.asarray(fine)[kind][own] * change[own] / self.grid.voxel_ml

    def _add(self, flat: NDArray[np.float32], painted: PaintedFocus, activity_kbq: float) -> None:
        if activity_kbq <= 0:
            return
        cover = painted.cover.sum()
        if cover <= 0:
            raise InvalidValue(
                f"A focus at {np.round(painted.centre_mm).tolist()} mm holds tracer but no voxel of its realm "
                f"({painted.focus.realm}) is there: move it, or choose another realm.",
                realm=painted.focus.realm,
            )
        flat[painted.index] += (painted.cover * (activity_kbq / cover / self.grid.voxel_ml)).astype(np.float32)


def _relative(organ: str, relative: Mapping[str, float]) -> float:
    if "wall" in organ:
        return 0.0
    return max((value for name, value in relative.items() if organ.startswith(name)), default=0.0)


def sample_patient(patient: Patient, spacing_mm: float) -> SampledPatient:
    """Put a patient on a grid.

    Parameters
    ----------
    patient : Patient
    spacing_mm : float
        Edge of a voxel; a body from outside keeps its own.

    Returns
    -------
    SampledPatient
    """
    groups: tuple[HasFoci, ...] = (*patient.lesions, *patient.disturbances)
    foci = [focus for lesion in groups for focus in lesion.foci]
    body = patient.person.labelled(spacing_mm, tuple(foci))
    labels = _replace_tissues(body, foci)
    site = _paint(_injection_site(patient), body.frames, labels)
    painted = tuple(tuple(_paint(focus, body.frames, labels) for focus in lesion.foci) for lesion in groups)
    index = np.flatnonzero(labels.bone)
    number = labels.bone.reshape(-1)[index].astype(np.int64) - 1
    depth = body.voxels.depth_mm.reshape(-1)[index].astype(float)
    if labels.density is None:
        bones = default_skeleton().bones
        mineral = mineral_by_depth(number + 1, depth, bones, patient.person.sex).astype(float)
    else:
        mineral = _mineral_of_density(labels.density.reshape(-1)[index])
    weight = _normal_weight(patient, body.frames, labels.grid, index, number, mineral)
    many = np.bincount(number, minlength=len(default_skeleton().bones))
    level = np.bincount(number, weight, len(many)) / np.maximum(many, 1)
    sampled = SampledPatient(
        patient=patient,
        grid=labels.grid,
        tissues=labels.tissues,
        organs=body.voxels.organs,
        tissue=labels.tissue,
        organ=labels.organ,
        bone=labels.bone,
        density=labels.density,
        counts=_count(labels.organ, labels.tissue, len(body.voxels.organs) + 1, len(labels.tissues)),
        index=index,
        number=number,
        weight=weight,
        level=level,
        mineral=mineral,
        painted=painted,
        site=site,
        vein=_paint(_arm_vein(patient), body.frames, labels),
    )
    _add_joints(sampled, body.frames, labels)
    _change_mineral(sampled)
    return sampled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Labels:
    """The labels of a body after foci have replaced tissue."""

    grid: Grid
    tissues: tuple[str, ...]
    tissue: NDArray[np.uint8]
    organ: NDArray[np.uint8]
    bone: NDArray[np.int16]
    inside: NDArray[np.uint8]
    density: NDArray[np.float32] | None


def _replace_tissues(body: LabelledBody, foci: list[Focus]) -> _Labels:
    voxels = body.voxels
    tissues, tissue_of, organ, bone, density = voxels.tissues, voxels.tissue, voxels.organ, voxels.bone, body.density
    labels = _Labels(
        grid=voxels.grid, tissues=tissues, tissue=tissue_of, organ=organ, bone=bone, inside=_inside(tissue_of, organ),
        density=density,
    )  # fmt: skip
    replacing = [focus for focus in foci if focus.tissue]
    if not replacing:
        return labels
    tissues = tuple(dict.fromkeys((*tissues, *(focus.tissue for focus in replacing))))
    tissue_of, organ, bone, inside = tissue_of.copy(), organ.copy(), bone.copy(), labels.inside.copy()
    density = None if density is None else density.copy()
    for focus in replacing:
        painted = _paint(focus, body.frames, labels)
        own = painted.index[painted.cover >= _SEEN]
        tissue_of.reshape(-1)[own] = tissues.index(focus.tissue)
        organ.reshape(-1)[own] = 0
        bone.reshape(-1)[own] = 0
        inside.reshape(-1)[own] = tissues.index(focus.tissue) > 0
        if density is not None:
            density.reshape(-1)[own] = tissue(focus.tissue).density_g_per_ml
    return _Labels(
        grid=voxels.grid, tissues=tissues, tissue=tissue_of, organ=organ, bone=bone, inside=inside, density=density
    )


def _inside(tissue_of: NDArray[np.uint8], organ: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ((tissue_of | organ) > 0).view(np.uint8)


def _paint(focus: Focus, frames: BoneFrames, labels: _Labels) -> PaintedFocus:
    centre, axes = frames.place(focus)
    if focus.realm == "outside":
        centre = _onto_skin(centre, axes, focus, frames, labels)
    return paint_focus(focus, centre, axes, labels.grid, labels.bone, labels.inside, default_skeleton().bones)


def _onto_skin(centre: Array, axes: Array, focus: Focus, frames: BoneFrames, labels: _Labels) -> Array:
    """Move what lies on the skin forwards or backwards until its centre is in air: bodies are thicker or thinner."""
    skeleton = default_skeleton()
    own = skeleton.bone_index == frames.bone_of(focus)
    forwards = focus.centre_mm[1] < skeleton.centres_mm[own, 1].mean()
    grid = labels.grid
    step = np.array([0.0, -1.0 if forwards else 1.0, 0.0]) * min(grid.spacing_mm) / 2
    to_index = np.linalg.inv(grid.step_mm)
    place = centre.copy()
    for _ in range(2000):
        voxel = tuple(np.round(to_index @ (place - np.asarray(grid.origin_mm))).astype(int))
        if not all(0 <= v < n for v, n in zip(voxel, grid.shape, strict=True)):
            return centre
        if not labels.inside[voxel]:
            return place
        place = place + step
    return centre


def _injection_site(patient: Patient) -> Focus:
    """The vein in the bend of the elbow, of the arm that does not write; 25 mm of it and what leaked around [D]."""
    side = "l" if patient.person.handedness == "right" else "r"
    return Focus(
        segment=f"arm_{side}",
        centre_mm=np.array([205.0 if side == "l" else -205.0, -14.0, 1112.0]),
        axes_mm=np.diag([11.0, 9.0, 25.0]),
        realm="soft",
    )


def _arm_vein(patient: Patient) -> Focus:
    """A vein of that upper arm, 10 mm wide, from the elbow to the armpit [D]."""
    side = "l" if patient.person.handedness == "right" else "r"
    mirror = np.array([1.0 if side == "l" else -1.0, 1.0, 1.0])
    along = np.array([-15.0, 4.0, 94.0])
    across = np.array([5.0, 0.0, 0.8])
    return Focus(
        segment=f"arm_{side}",
        centre_mm=mirror * [190.0, -6.0, 1206.0],
        axes_mm=mirror[:, None] * np.column_stack([across, [0.0, 5.0, 0.0], along]),
        realm="soft",
    )


def _per_voxel(activity: float, per_ml: Array, counts: Index, kind: Kind, factor: Array) -> Array:
    """Activity per voxel of each kind, shared out by what a ml holds; ``factor`` times that in voxels of ``kind``."""
    room = float((per_ml * counts).sum() + (per_ml[kind] * (factor - 1)).sum())
    if room <= 0:
        raise InvalidValue("This body has no tissue that blood or fluid could lie in.")
    return np.asarray(per_ml * (activity / room))


def _normal_weight(
    patient: Patient, frames: BoneFrames, grid: Grid, index: Index, number: Index, mineral: Array
) -> Array:
    """Weight of every voxel of bone, joints apart."""
    person, uptake = patient.person, patient.uptake
    bones = default_skeleton().bones
    place = np.stack(np.unravel_index(index, grid.shape), axis=1)
    weight = np.empty(len(index))
    order = np.argsort(number, kind="stable")
    edges = np.searchsorted(number[order], np.arange(len(bones) + 1))
    axes = long_axes()
    known = ~np.isnan(frames.maps[:, 0, 0])
    back = np.zeros((len(bones), 3, 3))
    back[known] = np.linalg.inv(frames.maps[known, :, :3])
    for k, name in enumerate(bones):
        own = order[edges[k] : edges[k + 1]]
        if not len(own):
            continue
        along = np.full(len(own), 0.5)  # of so few voxels that no place along it can be told
        if known[k]:
            slope = axes[k, :3] @ back[k]
            origin = np.asarray(grid.origin_mm) - frames.maps[k, :, 3]
            along = place[own] @ (slope @ grid.step_mm) + slope @ origin + axes[k, 3]
        inside = bone_mineral(name, person.sex).spongiosa_g_per_ml
        shell = np.clip((mineral[own] - inside) / (MINERAL_BONE_G_PER_ML - inside), 0, 1)
        weight[own] = uptake.bones[k] * weights_of_bone(k, shell, along, sex=person.sex, age_years=person.age_years)
    return weight


def _add_joints(sampled: SampledPatient, frames: BoneFrames, labels: _Labels) -> None:
    """Joints and growth plates are part of the normal weight, but not of a bone's mean level."""
    person, uptake = sampled.patient.person, sampled.patient.uptake
    there = ~np.isnan(frames.maps[:, 0, 0])
    names = default_skeleton().bones
    growing = growth_places(person.sex, person.age_years)
    for place, factor in zip((*bone_places(), *growing), (*uptake.places, *([1.0] * len(growing))), strict=True):
        if not any(there[names.index(bone)] for bone in place.focus.bones):
            continue
        painted = _paint(place.focus, frames, labels)
        here, own = sampled._in_bone(painted.index)
        sampled.weight[here] += factor * place.level_of(person.age_years, person.handedness) * painted.main[own]


def _change_mineral(sampled: SampledPatient) -> None:
    for painted in sampled._foci():
        if painted.focus.mineral_factor != 1:
            here, own = sampled._in_bone(painted.index)
            change = 1 + (painted.focus.mineral_factor - 1) * (painted.main + painted.core)[own]
            sampled.mineral[here] = np.minimum(MINERAL_BONE_G_PER_ML, sampled.mineral[here] * change)


def _by_density(
    tissue_of: NDArray[np.uint8], density: NDArray[np.float32], tissues: tuple[str, ...]
) -> tuple[NDArray[np.uint8], list[Mapping[str, float]]]:
    """Materials of tissues with measured densities, in the finest steps that give few enough of them."""
    step = 0.05
    while True:
        key = tissue_of.astype(np.int32) * 4096 + np.minimum(np.rint(density / step), 4095).astype(np.int32)
        kinds, number = np.unique(key, return_inverse=True)
        if len(kinds) <= _MOST_MATERIALS:
            break
        step *= 2
    materials = [{tissues[kind // 4096]: float(kind % 4096 * step)} for kind in kinds.tolist()]
    return number.reshape(tissue_of.shape).astype(np.uint8), list(materials)


def _mineral_of_density(density: NDArray[np.float32]) -> Array:
    """Mineral bone per ml in a mixture with marrow that has a density."""
    mineral = (density.astype(float) - MARROW_G_PER_ML) / (1 - MARROW_G_PER_ML / MINERAL_BONE_G_PER_ML)
    return np.asarray(np.clip(mineral, 0, MINERAL_BONE_G_PER_ML))


@numba.njit(cache=True, nogil=True)
def _fill(  # type: ignore[no-untyped-def]
    organ, tissue_of, table, out
):
    """Look every voxel up in a table by its organ and tissue."""
    slices, rows, columns = out.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                out[s, r, c] = table[organ[s, r, c], tissue_of[s, r, c]]


@numba.njit(cache=True, nogil=True)
def _coolest_above(flat, level):  # type: ignore[no-untyped-def]
    """First place of the least value above a level; -1 where there is none."""
    best = -1
    for k in range(flat.shape[0]):
        if flat[k] > level and (best < 0 or flat[k] < flat[best]):
            best = k
    return best


@numba.njit(cache=True, nogil=True)
def _count(  # type: ignore[no-untyped-def]
    organ, tissue_of, organs, tissues
):
    out = np.zeros((organs, tissues), dtype=np.int64)
    slices, rows, columns = organ.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                out[organ[s, r, c], tissue_of[s, r, c]] += 1
    return out
