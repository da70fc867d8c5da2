"""The analytic model with torch, for a graphics card: the same views as the compiled loops', and their transpose.

What a voxel sends is spread along the slices by adding shifted copies, and along the columns by matrices of exact
Gaussians (from any side) or by shifted copies (straight, where every slice has its own distance). The transpose is
torch's own derivative of the forward way, which is linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.projector import Projector, StraightViews, TurnedViews
from bonescan.camera.rays import frame_places, spread_kernels
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Grid

__all__ = ["TorchProjector"]

Image = NDArray[np.float32]
Tensor = Any  # torch is imported where it is needed, and not everywhere there is one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchProjector:
    """A projector whose views torch computes.

    Parameters
    ----------
    projector : Projector
    device : str
        Torch's name of it, e.g. ``"cuda"``.

    Raises
    ------
    InvalidValue
        Where torch is not installed, or knows no such device.
    """

    projector: Projector
    device: str = "cpu"
    _views: tuple[_Straight | _Turned, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import torch

            torch.zeros(1, device=self.device)
        except ImportError as error:
            raise InvalidValue("There is no torch; install bonescan[torch].") from error
        except (AssertionError, RuntimeError) as error:
            raise InvalidValue(f"Torch has no device {self.device!r}: {error}", got=self.device) from error
        views = self.projector.views
        kind = _straight if isinstance(views, StraightViews) else _turned
        object.__setattr__(
            self,
            "_views",
            tuple(kind(views, v, self.device) for v in range(len(self.angles_deg))),  # type: ignore[arg-type]
        )

    @property
    def grid(self) -> Grid:
        """Of the activity."""
        return self.projector.grid

    @property
    def lattice(self) -> Lattice:
        """Of the views."""
        return self.projector.lattice

    @property
    def angles_deg(self) -> tuple[float, ...]:
        """Of the views."""
        return self.projector.angles_deg

    def forward(self, activity_kbq_per_ml: NDArray[np.floating]) -> Projections:
        """Expected counts of unscattered photons.

        Parameters
        ----------
        activity_kbq_per_ml : (slice, row, column) ndarray

        Returns
        -------
        Projections
            cps per pixel, float32.

        Raises
        ------
        GeometryMismatch
            For an array of another shape than the grid.
        """
        import torch

        activity = self._tensor(activity_kbq_per_ml, self.grid.shape) * float(self.projector.cps_per_unit)
        with torch.no_grad():
            values = torch.stack([view.forward(activity) for view in self._views]).cpu().numpy()
        return Projections(values=values, lattice=self.lattice, angles_deg=self.angles_deg)

    def adjoint(self, values: NDArray[np.floating]) -> Image:
        """Transpose of `forward`.

        Parameters
        ----------
        values : (view, row, column) ndarray

        Returns
        -------
        (slice, row, column) ndarray of float32

        Raises
        ------
        GeometryMismatch
            For an array of another shape than the views.
        """
        import torch

        seen = self._tensor(values, (len(self.angles_deg), *self.lattice.shape))
        volume = torch.zeros(self.grid.shape, device=self.device)
        for v, view in enumerate(self._views):
            nothing = torch.zeros(self.grid.shape, device=self.device, requires_grad=True)
            volume += torch.autograd.grad(view.forward(nothing), nothing, seen[v])[0]
        return np.asarray((volume * float(self.projector.cps_per_unit)).cpu().numpy())

    def _tensor(self, values: NDArray[np.floating], shape: tuple[int, ...]) -> Tensor:
        import torch

        if values.shape != shape:
            raise GeometryMismatch(
                f"The array has the shape {values.shape}, expected {shape}.", expected=shape, got=values.shape
            )
        return torch.tensor(values, dtype=torch.float32, device=self.device)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Straight:
    """One view from the front or the back."""

    share: Tensor  # of a voxel's photons that reach the head, (slice, row, column)
    along: Tensor  # (pixel + pad, slice, row)
    across: Tensor  # (slice, pixel + pad, row)
    first: int  # pixel of the voxel column seen first
    mirrored: bool
    pad: int
    columns: int  # of pixels

    def forward(self, activity: Tensor) -> Tensor:
        import torch

        sent = activity * self.share
        if self.mirrored:
            sent = sent.flip(2)
        slices, rows, width = sent.shape
        taps, pad = len(self.along), self.pad
        line = torch.zeros((slices, rows, self.columns + 2 * pad + 2), device=sent.device)
        for n in range(taps):
            line[:, :, self.first + n : self.first + n + width] += self.along[n][:, :, None] * sent
        spread = self.across @ line[:, :, pad : pad + self.columns]
        out = torch.zeros((slices + 2 * pad + 2, self.columns), device=sent.device)
        for n in range(taps):
            out[n : n + slices] += spread[:, n]
        return out[pad : pad + slices].flip(0)


def _straight(views: StraightViews, v: int, device: str) -> _Straight:
    import torch

    slices, rows, width = views.mu.shape
    start, step, phase = views.columns[v]
    order = torch.tensor(views.rows[v], device=device)
    weak = torch.tensor(views.mu, device=device)[:, order] * float(views.width_cm)
    before = weak.cumsum(1) - weak
    share = torch.empty_like(weak)
    share[:, order] = torch.exp(-before) * _mean(weak)

    def kernels(sigma: NDArray[np.float64], phase: float) -> Tensor:
        flat = spread_kernels(sigma.ravel(), np.full(sigma.size, phase), views.pad)
        return torch.tensor(flat, device=device).reshape(-1, slices, rows)

    return _Straight(
        share=share,
        along=kernels(views.along[v], phase),
        across=kernels(views.across[v], 0.0).permute(1, 0, 2).contiguous(),
        first=start if step > 0 else start - (width - 1),
        mirrored=step < 0,
        pad=views.pad,
        columns=views.lattice.shape[1],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Turned:
    """One view from any side; voxel columns are in one row."""

    views: TurnedViews
    device: str
    direction: tuple[float, float]
    mu: Tensor  # (row + 2, column + 2, slice)
    along: Tensor  # (pixel + pad, voxel column)
    pixel: Tensor  # of the frame, (voxel column,)
    across: Tensor  # (pixel + pad, voxel column)
    looked_up: tuple[tuple[Tensor, Tensor], ...]  # four places of the frame with their weights, (voxel column,)

    def forward(self, activity: Tensor) -> Tensor:
        import torch

        slices, pad, size = activity.shape[0], self.views.pad, self.views.lattice.shape[1]
        sent = activity.reshape(slices, -1).T
        if self.views.attenuating:
            sent = sent * self._share()
        line = torch.zeros((len(sent), slices + 2 * pad + 2), device=self.device)
        for n in range(len(self.across)):
            line[:, n : n + slices] += self.across[n][:, None] * sent
        places = self.pixel + torch.arange(len(self.along), device=self.device)[:, None]
        inside = (places >= pad) & (places < pad + size)
        matrix = torch.zeros((size, len(sent)), device=self.device)
        matrix.scatter_add_(0, (places - pad).clamp(0, size - 1), torch.where(inside, self.along, 0.0))
        return (matrix @ line[:, pad : pad + slices]).T.flip(0)

    def _share(self) -> Tensor:
        """Share of voxels' photons that reach the head, (voxel column, slice)."""
        import torch

        views, (sine, cosine) = self.views, self.direction
        planes, size = views.planes, views.lattice.shape[1]
        rows, columns, slices = self.mu.shape
        forward = (planes - 1) / 2 - torch.arange(planes, device=self.device, dtype=torch.float64)[:, None]
        aside = torch.arange(size, device=self.device, dtype=torch.float64) - (size - 1) / 2
        y = (views.centre[0] + 1 + forward * cosine + aside * sine).ravel()
        x = (views.centre[1] + 1 + forward * sine - aside * cosine).ravel()
        row, column = y.floor(), x.floor()
        inside = (row >= 0) & (row < rows - 1) & (column >= 0) & (column < columns - 1)
        index = torch.where(inside, row * columns + column, 0.0).long()
        flat = self.mu.reshape(-1, slices)
        weak = torch.zeros((planes * size, slices), device=self.device)
        for i in range(2):
            for j in range(2):
                weight = (1 - i + (2 * i - 1) * (y - row)) * (1 - j + (2 * j - 1) * (x - column)) * inside
                weak += weight.float()[:, None] * flat[index + i * columns + j]
        weak = (weak * float(views.width_cm)).reshape(planes, size, slices)
        paths = (weak.cumsum(0) - 0.5 * weak).reshape(-1, slices)
        own = self.mu[1:-1, 1:-1].reshape(-1, slices) * float(views.width_cm)
        path = sum(weight[:, None] * paths[place] for place, weight in self.looked_up) - 0.5 * own
        return torch.exp(-path) * _mean(own)


def _turned(views: TurnedViews, v: int, device: str) -> _Turned:
    import torch

    rows, columns = views.mu.shape[0] - 2, views.mu.shape[1] - 2
    size = views.lattice.shape[1]
    sine, cosine = views.directions[v]
    k, fk, u, fu = frame_places(rows, columns, views.planes, size, sine, cosine, views.centre)
    held_k, held_u = np.clip(k + fk, 0, views.planes - 1), np.clip(u + fu, 0, size - 1)
    low_k, low_u = np.minimum(held_k.astype(int), views.planes - 2), np.minimum(held_u.astype(int), size - 2)
    looked_up = []
    for i in range(2):
        for j in range(2):
            weight = np.abs(1 - i - (held_k - low_k)) * np.abs(1 - j - (held_u - low_u))
            place = (low_k + i) * size + low_u + j
            looked_up.append((torch.tensor(place, device=device), torch.tensor(weight, device=device).float()))
    flat = views.along[v].ravel()
    return _Turned(
        views=views,
        device=device,
        direction=(sine, cosine),
        mu=torch.tensor(views.mu, device=device),
        along=torch.tensor(spread_kernels(flat, fu, views.pad), device=device),
        pixel=torch.tensor(u.astype(np.int64), device=device),
        across=torch.tensor(spread_kernels(views.across[v].ravel(), np.zeros(flat.size), views.pad), device=device),
        looked_up=tuple(looked_up),
    )


def _mean(weak: Tensor) -> Tensor:
    """Mean of what leaves voxels, (1 - exp(-h)) / h."""
    import torch

    thick = weak.clamp(min=1e-2)
    return torch.where(weak > 1e-2, -torch.expm1(-thick) / thick, 1 - weak / 2 + weak * weak / 6)
