"""Fit the kernel of the fast mode to Monte Carlo scatter, and measure how far it misses patients it was not fitted to.

Run: python training/fit_scatter_kernel.py [--fit 24] [--check 8] [--histories 3e6] [--write]

Patients of the default cohort lie in voxels of 6 mm under a Symbia's low-energy collimator, in a whole-body pass. The
weights are those at least 0 that leave the least sum of squares over all blocks of 12 mm of both views, each weighed
with the standard deviation that its counts would have. Checked are total scatter by view, and areas of 48 mm that hold
more than 2 % of what the hottest holds; there also with other windows and another camera, which the kernel was not
fitted to. ``--write`` puts the weights into the package.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bonescan.anatomy.medium import Medium
from bonescan.camera.acquisition import ANGLES_DEG, whole_body_model
from bonescan.camera.cameras import Camera, camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.fast import (
    FAST_SPACING_MM,
    POWERS,
    SHAPES,
    WIDTHS_MM,
    accepted_kev,
    kernel_terms,
    scatter_by_kernel,
)
from bonescan.camera.forced import scatter
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.protocols import WholeBody
from bonescan.field import Field
from bonescan.patient.cohort import draw_patient

Array = NDArray[np.float64]

TABLE = Path(__file__).parents[1] / "src/bonescan/camera/data/scatter_kernel.csv"
SEED = 11
WINDOWS_PERCENT = (15.0, 20.0, 10.0)  # the first one is fitted to
OTHER_CAMERA = "czt_whole_body"
AREA = 4  # blocks along its edge


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One patient: the kernel's terms, Monte Carlo scatter by window, and unscattered counts, all in cps by view."""

    terms: Array  # (window, term, view, row, column)
    scattered: Array  # (window, view, row, column)
    unscattered: Array
    body_mass_index: float


def case(number: int, own: Camera, histories: int) -> Case:
    """Make one patient."""
    patient = draw_patient(SEED, number)
    sampled = patient.sampled(FAST_SPACING_MM)
    activity = sampled.activity(3.0, sampled.shares(3.0), sampled.weights(3.0))
    found: list[tuple[Array, Array, tuple[Lattice, ...]]] = []

    def both(
        activity: Field, medium: Medium, own: Camera, angles: tuple[float, ...], face: Array, axis: tuple[float, float],
        windows: tuple[tuple[float, float], ...], histories: int, seed: int,
    ) -> Projections:  # fmt: skip
        several = tuple(own.window_kev(percent) for percent in WINDOWS_PERCENT)
        told = scatter(activity, medium, own, angles, face, axis, several, histories, seed)
        terms, lattices = kernel_terms(activity, medium, angles, axis)
        gains = [own.sensitivity_cps_per_mbq(window) / 1000 * accepted_kev(own, window) for window in several]
        flat = terms.reshape(-1, *terms.shape[3:])
        seen = np.stack([told.onto(pixels).values[:, v] for v, pixels in enumerate(lattices)], axis=1)
        found.append((np.array(gains)[:, None, None, None, None] * flat, seen, lattices))
        return scatter_by_kernel(activity, medium, own, angles, face, axis, windows)

    model = whole_body_model(
        [Emitter(medium=sampled.medium(), activity=activity)], own, WholeBody(), both, histories=histories, seed=number
    )
    ((terms, scattered, lattices),) = found
    angles = tuple(ANGLES_DEG.values())
    straight = Projections(values=model.unscattered_cps[0], lattice=model.lattice, angles_deg=angles)
    return Case(
        terms=terms,
        scattered=scattered,
        unscattered=np.stack([straight.onto(pixels).values[v] for v, pixels in enumerate(lattices)]),
        body_mass_index=patient.person.mass_kg / (patient.person.stature_mm / 1000) ** 2,  # type: ignore[attr-defined]
    )


def fitted(cases: list[Case]) -> Array:
    """Weights, (term,) ndarray."""
    left, right = [], []
    for one in cases:
        total = one.unscattered + one.scattered[0]
        weight = 1 / np.sqrt(total + 1e-3 * total.max())
        left.append((one.terms[0] * weight).reshape(len(one.terms[0]), -1).T)
        right.append((one.scattered[0] * weight).reshape(-1))
    return np.asarray(nnls(np.concatenate(left), np.concatenate(right))[0])


def misses(one: Case, weights: Array, window: int) -> Array:
    """Of total scatter by view, and by area of all counts: mean and 95th percentile of the size; all in percent."""
    kernel = np.tensordot(weights, one.terms[window], 1)
    both = [kernel[v].sum() / one.scattered[window, v].sum() - 1 for v in range(len(kernel))]
    error, total = (_areas(part) for part in (kernel - one.scattered[window], one.unscattered + one.scattered[window]))
    own = total > 0.02 * total.max()
    size = np.abs(error[own] / total[own])
    return 100 * np.array([*both, size.mean(), np.percentile(size, 95)])


def _areas(pictures: Array) -> Array:
    views, rows, columns = pictures.shape
    whole = pictures[:, : rows // AREA * AREA, : columns // AREA * AREA]
    return np.asarray(whole.reshape(views, rows // AREA, AREA, columns // AREA, AREA).sum(axis=(2, 4)))


def report(title: str, cases: list[Case], weights: Array, window: int) -> str:
    """One line of how far the kernel misses."""
    found = np.array([misses(one, weights, window) for one in cases])
    rms, worst = np.sqrt((found[:, :2] ** 2).mean()), np.abs(found[:, :2]).max()
    return (
        f"{title}: total scatter of a view off by {rms:.1f} % rms, {worst:.1f} % at worst; areas of 48 mm by "
        f"{found[:, 2].mean():.1f} % of all counts there in the mean, 95 % by less than {found[:, 3].mean():.1f} %"
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=int, default=24)
    parser.add_argument("--check", type=int, default=8)
    parser.add_argument("--histories", type=float, default=3e6)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    own, histories = camera("symbia_lehr"), int(arguments.histories)
    cases = [case(number, own, histories) for number in range(arguments.fit + arguments.check)]
    known, others = cases[: arguments.fit], cases[arguments.fit :]
    weights = fitted(known)
    index = [one.body_mass_index for one in cases]
    ratio = [one.scattered[0].sum() / one.unscattered.sum() for one in cases]
    lines = [
        f"{len(cases)} patients of the default cohort's seed {SEED}, {histories:g} histories each, body mass index "
        f"{min(index):.0f} to {max(index):.0f}, scatter to primary {min(ratio):.2f} to {max(ratio):.2f}",
        report(f"the {len(known)} fitted", known, weights, 0),
        report(f"{len(others)} others", others, weights, 0),
    ]
    lines += [
        report(f"the others in a window of {percent:g} %", others, weights, k)
        for k, percent in enumerate(WINDOWS_PERCENT)
        if k
    ]
    there = [case(arguments.fit + k, camera(OTHER_CAMERA), histories) for k in range(min(4, arguments.check))]
    lines.append(report(f"{len(there)} others under {OTHER_CAMERA}", there, weights, 0))
    print("\n".join(lines))
    table = weights.reshape(len(SHAPES), len(POWERS), len(WIDTHS_MM))
    told = [
        f"{shape},{power},{width:g},{table[k, n, j]:.4g}"
        for k, shape in enumerate(SHAPES)
        for n, power in enumerate(POWERS)
        for j, width in enumerate(WIDTHS_MM)
        if table[k, n, j] > 0
    ]
    print("\n".join(told))
    if arguments.write:
        head = [
            "# Weights of the fast mode's scatter kernel, by training/fit_scatter_kernel.py [C].",
            *("# " + line for line in lines),
        ]
        TABLE.write_text("\n".join([*head, "shape,power,width_mm,weight_per_kev", *told, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
