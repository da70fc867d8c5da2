"""What voxels send into a head: the analytic model's compiled loops, forward and transposed.

Both ways go plane by plane from the collimator into the body. A voxel of activity a and attenuation h = mu times its
width, behind voxels that let through T, sends ::

    a T m,   m = (1 - exp(-h)) / h

on average over its width, and lets through T exp(-h). What it sends is spread by the Gaussians of its distance, first
along the columns, then along the rows, by the kernels of its own slice.

`planar_*` take views straight from the front or the back of a grid; rows of voxels are rows of pixels there, contiguous
along the columns. `turned_*` take any other view: they look up activity and attenuation between four voxels, contiguous
along the slices. Every transposed loop does the same multiplications as its forward one, so that the two are adjoint to
rounding.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["bounds", "coverage", "planar_adjoint", "planar_forward", "turned_adjoint", "turned_forward"]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _passing(h):  # type: ignore[no-untyped-def]
    """Mean of what leaves a voxel, and what it lets through, of 1: a Pade approximant of exp(-h / 4), four times.

    Right to 1e-8 for h up to 1 (6 cm of water) and to 1 % for h up to 9 (3 mm of lead); no cancellation for small h.
    """
    q = np.float32(0.25) * min(h, np.float32(16.0))
    square = q * q
    even = np.float32(1.0) + square * np.float32(0.1)
    odd = q * (np.float32(0.5) + square * np.float32(1 / 120))
    inverse = np.float32(1.0) / (even + odd)
    quarter = (even - odd) * inverse
    half = quarter * quarter
    mean = (np.float32(1.0) + square * np.float32(1 / 60)) * inverse
    mean *= (np.float32(1.0) + quarter) * (np.float32(1.0) + half) * np.float32(0.25)
    return mean, half * half


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _send(activity, mu, width, through, sent):  # type: ignore[no-untyped-def]
    """One row of voxels: what it sends, and what it lets through."""
    for x in range(activity.size):
        mean, rest = _passing(mu[x] * width)
        sent[x] = activity[x] * through[x] * mean
        through[x] *= rest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_scaled(weight, source, target):  # type: ignore[no-untyped-def]
    for c in range(target.size):
        target[c] += weight * source[c]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread_row(source, kernel, reach, first, last, out):  # type: ignore[no-untyped-def]
    """``out[first:last]`` is the convolution of the source there."""
    target, middle, weight = out[first:last], source[first:last], kernel[0]
    for c in range(target.size):
        target[c] = weight * middle[c]
    for n in range(1, reach + 1):
        before, after, weight = source[first - n : last - n], source[first + n : last + n], kernel[n]
        for c in range(target.size):
            target[c] += weight * (before[c] + after[c])


@numba.njit(cache=True, nogil=True)
def bounds(activity, low, high):  # type: ignore[no-untyped-def]
    """First column with activity of every row of voxels and the one after the last; untouched where there is none."""
    slices, rows, columns = activity.shape
    for s in range(slices):
        for r in range(rows):
            first = 0
            while first < columns and activity[s, r, first] == 0:
                first += 1
            if first < columns:
                last = columns
                while activity[s, r, last - 1] == 0:
                    last -= 1
                low[s, r], high[s, r] = first, last


# --- from the front or the back --------------------------------------------------------------


@numba.njit(cache=True, nogil=True, error_model="numpy")
def planar_forward(  # type: ignore[no-untyped-def]
    activity, mu, width, rows, lows, highs, along, across, weights, reach, start, step, fraction, first, last, pad, out
):
    """Views of slices ``first`` to ``last``, added into ``out`` (slice - first + pad, column + 2 pad).

    ``rows`` lists the rows of voxels from the head on; ``lows`` and ``highs`` (slice, row) hold where a row's activity
    begins and ends; ``along`` and ``across`` (slice, row) the kernels along columns and slices. Column x of voxels lies
    at column ``start + step x + fraction`` of pixels, and is shared between the two next to it.
    """
    columns = activity.shape[2]
    size = out.shape[1]
    line = np.zeros(size + 4 * pad, np.float32)  # room for two reaches on both sides
    spread = np.zeros(size + 4 * pad, np.float32)
    through = np.empty(columns, np.float32)
    sent = np.empty(columns, np.float32)
    near, far = np.float32(1.0 - fraction), np.float32(fraction)
    for s in range(first, last):
        low, high, deepest = columns, 0, -1
        for k in range(rows.size):
            y = rows[k]
            if highs[s, y] > lows[s, y]:
                low, high, deepest = min(low, lows[s, y]), max(high, highs[s, y]), k
        through[:] = 1.0
        for k in range(deepest + 1):
            y = rows[k]
            a, b = lows[s, y], highs[s, y]
            _send(activity[s, y, low:high], mu[s, y, low:high], width, through[low:high], sent[low:high])
            if b <= a:
                continue
            p = 2 * pad + start + (step * a if step > 0 else step * (b - 1))
            q = p + b - a + 1
            for x in range(b - a):
                line[p + x] = sent[a + x] if step > 0 else sent[b - 1 - x]
            if fraction > 0.0:
                for c in range(q - 1, p, -1):
                    line[c] = near * line[c] + far * line[c - 1]
                line[p] *= near
            r, reach_z = reach[along[s, y]], reach[across[s, y]]
            _spread_row(line, weights[along[s, y]], r, p - r, q + r, spread)
            line[p:q] = 0.0
            p, q = max(p - r, pad), min(q + r, pad + size)
            kernel = weights[across[s, y]]
            for n in range(-reach_z, reach_z + 1):
                _add_scaled(kernel[abs(n)], spread[p:q], out[s - first + pad + n, p - pad : q - pad])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def planar_adjoint(  # type: ignore[no-untyped-def]
    views, mu, width, rows, along, across, weights, reach, start, step, fraction, first, last, pad, volume
):
    """Transpose of `planar_forward`: ``views`` (slice + pad, column + 2 pad) back into slices of ``volume``."""
    columns = volume.shape[2]
    size = views.shape[1]
    line = np.zeros(size + 4 * pad, np.float32)
    spread = np.zeros(size + 4 * pad, np.float32)
    through = np.empty(columns, np.float32)
    ones = np.ones(columns, np.float32)
    share = np.empty(columns, np.float32)
    near, far = np.float32(1.0 - fraction), np.float32(fraction)
    for s in range(first, last):
        through[:] = 1.0
        for k in range(rows.size):
            y = rows[k]
            kernel, reach_z = weights[across[s, y]], reach[across[s, y]]
            line[pad : pad + size] = 0.0
            for n in range(-reach_z, reach_z + 1):
                _add_scaled(kernel[abs(n)], views[s + pad + n], line[pad : pad + size])
            p = 2 * pad + start + (0 if step > 0 else step * (columns - 1))
            _spread_row(line, weights[along[s, y]], reach[along[s, y]], p, p + columns + 1, spread)
            _send(ones, mu[s, y], width, through, share)
            target, source, beyond = volume[s, y], spread[p : p + columns], spread[p + 1 : p + columns + 1]
            for x in range(columns):
                c = x if step > 0 else columns - 1 - x
                target[x] += share[x] * (near * source[c] + far * beyond[c])


# --- from any side ---------------------------------------------------------------------------


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _corner(k, u, planes, size, sine, cosine, centre):  # type: ignore[no-untyped-def]
    """Row and column of the voxel before the place at plane k and pixel u, and how far beyond it the place lies."""
    forward = (planes - 1) / 2 - k
    aside = u - (size - 1) / 2
    y = centre[0] + forward * cosine + aside * sine
    x = centre[1] + forward * sine - aside * cosine
    row, column = math.floor(y), math.floor(x)
    return row, column, y - row, x - column


@numba.njit(cache=True, nogil=True, error_model="numpy")
def coverage(shape, planes, size, sine, cosine, centre):  # type: ignore[no-untyped-def]
    """How often each column of voxels is looked up in a view, (row, column), and how far aside, as a mean square."""
    total = np.zeros((shape[0] + 2, shape[1] + 2))
    square = np.zeros((shape[0] + 2, shape[1] + 2))
    for k in range(planes):
        for u in range(size):
            row, column, fy, fx = _corner(k, u, planes, size, sine, cosine, centre)
            if not (-1 <= row < shape[0] and -1 <= column < shape[1]):
                continue
            for i in range(2):
                for j in range(2):
                    weight = (fy if i else 1 - fy) * (fx if j else 1 - fx)
                    aside = (i - fy) * sine - (j - fx) * cosine
                    total[row + 1 + i, column + 1 + j] += weight
                    square[row + 1 + i, column + 1 + j] += weight * aside * aside
    return total, square


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _look_up(volume, row, column, w00, w01, w10, w11, out):  # type: ignore[no-untyped-def]
    a, b = volume[row, column], volume[row, column + 1]
    c, d = volume[row + 1, column], volume[row + 1, column + 1]
    for z in range(out.size):
        out[z] = w00 * a[z] + w01 * b[z] + w10 * c[z] + w11 * d[z]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add(source, target):  # type: ignore[no-untyped-def]
    for z in range(target.size):
        target[z] += source[z]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _kernels_by_slice(indices, weights, reach, out):  # type: ignore[no-untyped-def]
    """Weights by offset and slice into ``out``; returns the longest reach."""
    longest = 0
    for z in range(indices.size):
        longest = max(longest, reach[indices[z]])
    for z in range(indices.size):
        for n in range(longest + 1):
            out[n, z] = weights[indices[z], n]
    return longest


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turned_forward(  # type: ignore[no-untyped-def]
    activity, filled, mu, width, sine, cosine, centre, scale, along, across, weights, reach, out
):
    """One view of a grid turned about its axis, added into ``out`` (column, slice + 2 pad).

    ``activity`` and ``mu`` are (row + 2, column + 2, slice) with a border of zeros; ``filled`` (row + 2, column + 2)
    tells where there is activity; ``scale`` (row + 2, column + 2) makes each voxel count once; ``along`` and ``across``
    (plane, slice) are the kernels along columns and slices.
    """
    planes, size, slices = along.shape[0], out.shape[0], activity.shape[2]
    pad = (out.shape[1] - slices) // 2
    through = np.ones((size, slices), np.float32)
    plane = np.zeros((size + 2 * pad, slices), np.float32)
    row_u, row_z = np.empty((pad + 1, slices), np.float32), np.empty((pad + 1, slices), np.float32)
    value, weak, sent = np.zeros(slices, np.float32), np.zeros(slices, np.float32), np.empty(slices, np.float32)
    product = np.empty(slices, np.float32)
    for k in range(planes):
        reach_u = _kernels_by_slice(along[k], weights, reach, row_u)
        reach_z = _kernels_by_slice(across[k], weights, reach, row_z)
        low, high = size, -1
        for u in range(size):
            row, column, fy, fx = _corner(k, u, planes, size, sine, cosine, centre)
            if not (-1 <= row < activity.shape[0] - 2 and -1 <= column < activity.shape[1] - 2):
                continue
            i, j = row + 1, column + 1
            w00, w01 = np.float32((1 - fy) * (1 - fx)), np.float32((1 - fy) * fx)
            w10, w11 = np.float32(fy * (1 - fx)), np.float32(fy * fx)
            _look_up(mu, i, j, w00, w01, w10, w11, weak)
            if not (filled[i, j] or filled[i, j + 1] or filled[i + 1, j] or filled[i + 1, j + 1]):
                for z in range(slices):
                    through[u, z] *= _passing(weak[z] * width)[1]
                continue
            w00, w01 = w00 * scale[i, j], w01 * scale[i, j + 1]
            w10, w11 = w10 * scale[i + 1, j], w11 * scale[i + 1, j + 1]
            _look_up(activity, i, j, w00, w01, w10, w11, value)
            _send(value, weak, width, through[u], sent)
            low, high = min(low, u), max(high, u)
            for n in range(reach_u + 1):
                for z in range(slices):
                    product[z] = row_u[n, z] * sent[z]
                _add(product, plane[pad + u + n])
                if n:
                    _add(product, plane[pad + u - n])
        for u in range(pad + low - reach_u, pad + high + reach_u + 1):
            source = plane[u]
            if pad <= u < pad + size:
                for n in range(reach_z + 1):
                    for z in range(slices):
                        product[z] = row_z[n, z] * source[z]
                    _add(product, out[u - pad, pad + n : pad + n + slices])
                    if n:
                        _add(product, out[u - pad, pad - n : pad - n + slices])
            source[:] = 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turned_adjoint(  # type: ignore[no-untyped-def]
    view, mu, width, sine, cosine, centre, scale, along, across, weights, reach, volume
):
    """Transpose of `turned_forward`: a view (column, slice + 2 pad) back into ``volume``."""
    planes, size, slices = along.shape[0], view.shape[0], volume.shape[2]
    pad = (view.shape[1] - slices) // 2
    through = np.ones((size, slices), np.float32)
    plane = np.zeros((size + 2 * pad, slices), np.float32)
    row_u, row_z = np.empty((pad + 1, slices), np.float32), np.empty((pad + 1, slices), np.float32)
    value, weak, sent = np.zeros(slices, np.float32), np.zeros(slices, np.float32), np.empty(slices, np.float32)
    for k in range(planes):
        reach_u = _kernels_by_slice(along[k], weights, reach, row_u)
        reach_z = _kernels_by_slice(across[k], weights, reach, row_z)
        for u in range(size):
            target, middle = plane[pad + u], view[u, pad : pad + slices]
            for z in range(slices):
                target[z] = row_z[0, z] * middle[z]
            for n in range(1, reach_z + 1):
                before, after = view[u, pad - n : pad - n + slices], view[u, pad + n : pad + n + slices]
                for z in range(slices):
                    target[z] += row_z[n, z] * (before[z] + after[z])
        for u in range(size):
            row, column, fy, fx = _corner(k, u, planes, size, sine, cosine, centre)
            if not (-1 <= row < volume.shape[0] - 2 and -1 <= column < volume.shape[1] - 2):
                continue
            i, j = row + 1, column + 1
            w00, w01 = np.float32((1 - fy) * (1 - fx)), np.float32((1 - fy) * fx)
            w10, w11 = np.float32(fy * (1 - fx)), np.float32(fy * fx)
            _look_up(mu, i, j, w00, w01, w10, w11, weak)
            source = plane[pad + u]
            for z in range(slices):
                value[z] = row_u[0, z] * source[z]
            for n in range(1, reach_u + 1):
                before, after = plane[pad + u - n], plane[pad + u + n]
                for z in range(slices):
                    value[z] += row_u[n, z] * (before[z] + after[z])
            _send(value, weak, width, through[u], sent)
            w00, w01 = w00 * scale[i, j], w01 * scale[i, j + 1]
            w10, w11 = w10 * scale[i + 1, j], w11 * scale[i + 1, j + 1]
            _add_scaled(w00, sent, volume[i, j])
            _add_scaled(w01, sent, volume[i, j + 1])
            _add_scaled(w10, sent, volume[i + 1, j])
            _add_scaled(w11, sent, volume[i + 1, j + 1])
