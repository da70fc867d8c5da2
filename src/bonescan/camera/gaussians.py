"""Gaussian kernels on pixels, by their width, each with exactly the variance it stands for."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import InvalidValue

__all__ = ["SIGMA_STEP", "gaussian_kernels", "kernel_index"]

SIGMA_STEP = 0.002
"""Distance of neighbouring kernels' standard deviations, in pixels: 0.2 % of a width of half a pixel."""

_REACH = 3.7  # standard deviations; 2e-4 of a Gaussian lies beyond


@cache
def gaussian_kernels(largest_pixels: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Symmetric kernels of standard deviations 0, `SIGMA_STEP`, ... up to the largest.

    Parameters
    ----------
    largest_pixels : int
        Largest standard deviation, 1 to 64 pixels.

    Returns
    -------
    weights : (kernel, offset) ndarray of float32
        At offsets 0, 1, ... from the centre, 0 beyond the kernel's reach; both sides together sum to 1.
    reach : (kernel,) ndarray of int64
        Offset of the last weight.

    Raises
    ------
    InvalidValue
        For a largest width outside its range.

    Notes
    -----
    A kernel is a Gaussian sampled at the pixels' centres, exp(-b n^2). Sampling and cutting change its variance, most
    where it is narrower than a pixel; b is therefore solved for, so that with the weights w_n ::

        sum_n w_n = 1,     sum_n n^2 w_n = sigma^2
    """
    if not 1 <= largest_pixels <= 64:
        raise InvalidValue(f"A Gaussian spreads over 1 to 64 pixels, got {largest_pixels}.", got=largest_pixels)
    sigma = np.arange(0.0, largest_pixels + SIGMA_STEP / 2, SIGMA_STEP)
    reach = np.ceil(_REACH * np.maximum(sigma, 0.1)).astype(np.int64)
    offset = np.arange(reach.max() + 1, dtype=float)
    inside = offset[None, :] <= reach[:, None]
    sides = np.where(offset == 0, 1.0, 2.0)
    # b lies between that of a much wider Gaussian and where nothing reaches the next pixel
    low = 1 / (2 * (1.2 * sigma + 0.6) ** 2)
    high = np.full_like(low, 700.0)
    for _ in range(60):
        b = np.sqrt(low * high)
        weights = np.where(inside, np.exp(-b[:, None] * offset**2), 0.0)
        variance = (weights * sides * offset**2).sum(axis=1) / (weights * sides).sum(axis=1)
        low, high = np.where(variance > sigma**2, b, low), np.where(variance > sigma**2, high, b)
    out = (weights / (weights * sides).sum(axis=1, keepdims=True)).astype(np.float32)
    out[0, 1:] = 0.0
    # rounding must not create or lose counts
    out[:, 0] = 1.0 - 2.0 * out[:, 1:].sum(axis=1, dtype=np.float64)
    out.flags.writeable = reach.flags.writeable = False
    return out, reach


def kernel_index(sigma_pixels: NDArray[np.float64]) -> NDArray[np.int32]:
    """Which kernel stands for a standard deviation.

    Parameters
    ----------
    sigma_pixels : ndarray
        Of 0 or more.

    Returns
    -------
    ndarray of int32
        Index into the kernels; of the widths' shape.
    """
    return np.rint(sigma_pixels / SIGMA_STEP).astype(np.int32)
