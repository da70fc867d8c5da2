"""What the fit of the skeleton makes small: residuals at one resolution, and priors of pose and frames."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import PARAMETERS, move_points, segment_maps, tree_arrays
from bonescan.reading.skeleton.areas import Areas, area_pictures
from bonescan.reading.skeleton.picture import FLOOR, FRAME, OFFSET, Cloud, Level, render, render_all
from bonescan.reading.skeleton.placement import Frame
from bonescan.scan import ViewName

__all__ = ["ROWS", "Problem"]

Array = NDArray[np.float64]

ROWS = 192
"""Rows of the working picture of a whole body: about 9 mm each for an adult."""

_STANCE_RAD = 0.8  # a turn of the start beyond this was chosen, and the prior is centred on it
_DATA_WEIGHT = 0.3  # neighbouring pixels repeat each other: about seven share one piece of evidence
# Of a pixel of areas, and of one vertebra or rib: where the fit begins the network leads [D]; where it ends the picture
# does [C], as five simulated people and one half of the real scans showed.
_FIRST_AREA_WEIGHT, _FIRST_LEVEL_WEIGHT = 0.3, 2.0
_AREA_WEIGHT, _LEVEL_WEIGHT = 0.01, 0.15


class Problem:
    """Residuals of pictures, areas and levels at one resolution.

    Parameters
    ----------
    level : Level
        The views there.
    names : tuple of ViewName
    cloud : Cloud
        The skeleton's points.
    areas : Areas, optional
        What a network says of the views there.
    begins : bool
        Whether the fit begins with this one, and the network leads it.
    """

    def __init__(
        self,
        level: Level,
        names: tuple[ViewName, ...],
        cloud: Cloud,
        areas: Areas | None = None,
        *,
        begins: bool = False,
    ) -> None:
        self.level, self.areas = level, areas
        self.sides = np.array([-1.0 if name is ViewName.ANTERIOR else 1.0 for name in names])
        self.cloud = (cloud.points, cloud.segment, cloud.weight, cloud.curve)
        self.tree = tree_arrays()
        self.scales = np.ones(len(names))
        self.shape = level.targets.shape[1:]
        count = len(names) * FRAME
        spread = [p.spread for p in PARAMETERS]
        row = level.body_rows / ROWS
        self.frame_spread = np.array([40 * row, 25 * row, 0.0, 0.0, 0.02, 0.02])
        self.spread = np.array(spread + [0.0] * count)
        self.names = names
        self.target, self.trust = level.targets.reshape(-1), level.trust.reshape(-1)
        self.importance: float | NDArray[np.float32] = _DATA_WEIGHT
        if areas is not None:
            exposed = np.broadcast_to(areas.exposed[:, None], areas.planes.shape).reshape(-1)
            self.target = np.concatenate([self.target, areas.planes.reshape(-1), np.zeros(areas.level_count)]).astype(
                "f4"
            )
            self.trust = np.concatenate([self.trust, exposed, np.ones(areas.level_count)]).astype(np.float32)
            weights = (_FIRST_AREA_WEIGHT, _FIRST_LEVEL_WEIGHT) if begins else (_AREA_WEIGHT, _LEVEL_WEIGHT)
            self.importance = np.repeat(
                np.array([_DATA_WEIGHT, *weights], np.float32),
                [level.targets.size, areas.planes.size, areas.level_count],
            )
            self.importance[-areas.level_count :] *= areas.level_weight

    def calibrate(self, theta: Array) -> None:
        """Scale the pictures' counts as the views were: their 97th percentile becomes one."""
        parents, pivots, pivot_curve, slots, signs = self.tree
        maps, curve = segment_maps(theta[: len(PARAMETERS)], parents, pivots, pivot_curve, slots, signs)
        for v in range(len(self.sides)):
            out = np.zeros(self.shape, dtype=np.float32)
            frame = theta[len(PARAMETERS) + v * FRAME :][:FRAME]
            render(maps, curve, frame, self.sides[v], *self.cloud, self.level.psf, 1e-6, out, np.empty_like(out))
            counts = ((out.astype(float) + math.sqrt(OFFSET)) ** 2 - OFFSET) * 1e6
            lit = counts > 0.02 * counts.max()
            self.scales[v] = 1 / np.percentile(counts[lit], 93)

    def pictures(self, thetas: Array) -> NDArray[np.float32]:
        """Standardised pictures, (vector, view, row, column) ndarray."""
        out = np.empty((len(thetas), len(self.sides), *self.shape), dtype=np.float32)
        render_all(
            thetas,
            self.sides,
            self.scales,
            self.tree,
            self.cloud,
            self.level.psf,
            self.level.window_half,
            FLOOR,
            self.shape,
            out,
        )
        return out

    def features(self, thetas: Array) -> NDArray[np.float32]:
        """All that is compared, (vector, feature) ndarray: pictures, and areas and levels where a network looked."""
        pictures = self.pictures(thetas).reshape(len(thetas), -1)
        if self.areas is None:
            return pictures
        areas, levels = area_pictures(thetas, self.areas, self.tree)
        return np.concatenate([pictures, areas.reshape(len(thetas), -1), levels], axis=1)

    def residual(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far features are from the scan's, nothing where nothing is to be trusted."""
        return np.asarray((features - self.target) * self.trust)

    def misfit(self, residual: NDArray[np.float32]) -> float:
        """Twice the sum of the soft-L1 residuals, each as important as it is: near zero, a sum of squares."""
        loss = np.sqrt(1 + residual.astype(float) ** 2) - 1
        if isinstance(self.importance, float):
            return float(loss.sum()) * 2 * self.importance
        return float(loss @ self.importance) * 2

    def outside(self, theta: Array) -> float:
        """Fraction of the skeleton that falls outside the pictures, mean of the views."""
        points, segment, weight, _ = self.cloud
        moved = move_points(points, segment, theta[: len(PARAMETERS)])
        shares = []
        for frame in theta[len(PARAMETERS) :].reshape(-1, FRAME):
            row, column = Frame.of(frame).pixels(moved[:, 0], moved[:, 2])
            out = (row < 0) | (row > self.shape[0] - 1) | (column < 0) | (column > self.shape[1] - 1)
            shares.append(weight[out].sum() / weight.sum())
        return float(np.mean(shares))

    def costs(self, thetas: Array) -> Array:
        """Soft-L1 residual of each parameter vector: the mean of pictures, or the weighted sum of all."""
        if self.areas is not None:
            return np.array([self.misfit(self.residual(features)) for features in self.features(thetas)])
        residual = (self.pictures(thetas) - self.level.targets) * self.level.trust
        return np.asarray((np.sqrt(1 + residual**2) - 1).mean(axis=(1, 2, 3)), dtype=float)

    def priors(self, reference: Array) -> tuple[Array, Array]:
        """Square-root precision and centre of the Gaussian prior over pose and frames."""
        n, views = len(PARAMETERS), len(self.sides)
        frames = reference[n:].reshape(-1, FRAME)
        rows = []

        def line(**at: float) -> None:
            row = np.zeros(len(reference))
            for key, value in at.items():
                row[int(key[1:])] = value
            rows.append(row)

        for k, parameter in enumerate(PARAMETERS):
            line(**{f"p{k}": 1 / parameter.spread})
        for v in range(views):
            at = n + v * FRAME
            f = frames[v]
            line(**{f"p{at}": 1 / self.frame_spread[0]})
            line(**{f"p{at + 1}": 1 / self.frame_spread[1]})
            line(**{f"p{at + 2}": 1 / (0.15 * f[2])})
            # The aspect of pixels is one property of the file, loosely known; both views share their scales loosely.
            line(**{f"p{at + 2}": 1 / (0.15 * f[2]), f"p{at + 3}": -1 / (0.15 * f[3])})
            line(**{f"p{at + 4}": 1 / 0.02})
            line(**{f"p{at + 5}": 1 / 0.02})
            if v:
                line(**{f"p{n + 2}": 1 / (0.05 * frames[0][2]), f"p{at + 2}": -1 / (0.05 * f[2])})
                line(**{f"p{n + 3}": 1 / (0.05 * frames[0][3]), f"p{at + 3}": -1 / (0.05 * f[3])})
        prior = np.array(rows)
        centre = reference.copy()
        centre[:n] = np.where(np.abs(reference[:n]) > _STANCE_RAD, reference[:n], 0)
        return prior, centre
