"""What voxels send into a head: the analytic model's compiled loops, forward and transposed.

A voxel of activity a, attenuated by h = mu times its width, behind voxels that let through T, sends ::

    a T m,   m = (1 - exp(-h)) / h

on average over its width, spread along the pixels' columns and rows by the Gaussian of its distance. `planar_*` take
views straight from the front or the back of a grid, where rows of voxels lie along rows of pixels. `turned_*` take any
other view, voxel by voxel: its place among the columns is its own, between pixels, and T is looked up between four
places of a frame of paths, `turned_paths`. Every transposed loop multiplies by the same numbers as its forward one, so
that the two are adjoint to rounding.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = [
    "bounds",
    "frame_places",
    "planar_adjoint",
    "planar_forward",
    "spread_kernel",
    "spread_kernels",
    "turned_adjoint",
    "turned_forward",
    "turned_paths",
]

REACH = 3.7  # standard deviations, and half a pixel, that a kernel extends; 2e-4 of a Gaussian lies beyond


@numba.njit(cache=True, nogil=True, error_model="numpy")
def spread_kernel(sigma, phase, out):  # type: ignore[no-untyped-def]
    """Shares of the pixels around a place ``phase`` (0 to 1) beyond pixel 0, of the standard deviation in pixels.

    Fills ``out`` and returns the number of the first pixel and how many there are. The shares sum to 1, their mean is
    the phase, and their variance sigma^2. Sampling a Gaussian gives that but for exp(-2 pi^2 sigma^2); where this
    matters, exp(-b x^2 + c x) is solved for, and below half a pixel the three nearest pixels, or two, hold it all.
    """
    variance = sigma * sigma
    if variance < 0.25:
        nearest = 1 if phase > 0.5 else 0
        off = phase - nearest
        if variance < abs(off) * (1.0 - abs(off)):  # no weights of whole pixels are so narrow
            out[0], out[1] = 1.0 - phase, phase
            return 0, 2
        out[0] = (variance + off * off - off) / 2
        out[2] = (variance + off * off + off) / 2
        out[1] = 1.0 - out[0] - out[2]
        return nearest - 1, 3
    reach = REACH * sigma + 0.5
    first = math.ceil(phase - reach)
    count = math.floor(phase + reach) - first + 1
    b, c = 0.5 / variance, 0.0
    for _step in range(3 if variance < 0.5 else 1):
        total = mean = square = cube = fourth = 0.0
        for n in range(count):
            x = first + n - phase
            weight = math.exp(-b * x * x + c * x)
            out[n] = weight
            total += weight
            mean += weight * x
            square += weight * x * x
            cube += weight * x**3
            fourth += weight * x**4
        mean, square, cube, fourth = mean / total, square / total, cube / total, fourth / total
        # Newton's step towards a mean of 0 and a mean square of the variance
        v, s, k = square - mean * mean, cube - mean * square, fourth - square * square
        determinant = v * k - s * s
        c -= (k * mean - s * (square - variance)) / determinant
        b += (v * (square - variance) - s * mean) / determinant
    for n in range(count):
        out[n] /= total
    return first, count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def spread_kernels(sigma, phase, pad):  # type: ignore[no-untyped-def]
    """`spread_kernel` of many places, (pixel + pad, place) ndarray of float32, from pixel ``-pad`` on."""
    out = np.zeros((2 * pad + 2, sigma.size), np.float32)
    kernel = np.empty(2 * pad + 2, np.float32)
    for k in range(sigma.size):
        first, count = spread_kernel(sigma[k], phase[k], kernel)
        for n in range(count):
            out[pad + first + n, k] = kernel[n]
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ratio(q):  # type: ignore[no-untyped-def]
    """exp(-q), and (1 - exp(-q)) / q, by a Pade approximant: right to q^7 / 1e5, without cancellation for small q."""
    square = q * q
    even = np.float32(1.0) + square * np.float32(0.1)
    odd = q * (np.float32(0.5) + square * np.float32(1 / 120))
    inverse = np.float32(1.0) / (even + odd)
    return (even - odd) * inverse, (np.float32(1.0) + square * np.float32(1 / 60)) * inverse


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _passing(h):  # type: ignore[no-untyped-def]
    """Mean of what leaves a voxel, and what it lets through, of 1.

    From exp(-h / 4): right to 1e-8 for h up to 1 (6 cm of water) and to 1 % for h up to 9 (3 mm of lead).
    """
    quarter, mean = _ratio(np.float32(0.25) * min(h, np.float32(16.0)))
    half = quarter * quarter
    return mean * (np.float32(1.0) + quarter) * (np.float32(1.0) + half) * np.float32(0.25), half * half


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _decay(path):  # type: ignore[no-untyped-def]
    """exp(-path), from exp(-path / 16): right to 1e-6 for paths up to 8."""
    part, _ = _ratio(np.float32(0.0625) * min(path, np.float32(64.0)))
    part *= part
    part *= part
    part *= part
    return part * part


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_scaled(weight, source, target):  # type: ignore[no-untyped-def]
    for n in range(target.size):
        target[n] += weight * source[n]


# --- from the front or the back --------------------------------------------------------------


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _send(activity, mu, width, through, sent):  # type: ignore[no-untyped-def]
    """One row of voxels: what it sends, and what it lets through."""
    for x in range(activity.size):
        mean, rest = _passing(mu[x] * width)
        sent[x] = activity[x] * through[x] * mean
        through[x] *= rest


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def planar_forward(  # type: ignore[no-untyped-def]
    activity, mu, width, rows, lows, highs, along, across, start, step, phase, first, last, pad, out
):
    """Views of slices ``first`` to ``last``, added into ``out`` (slice - first + 2 pad, column + 2 pad).

    ``rows`` lists the rows of voxels from the head on; ``lows`` and ``highs`` (slice, row) hold where a row's activity
    begins and ends; ``along`` and ``across`` (slice, row) are standard deviations in pixels. Column x of voxels lies at
    column ``start + step x + phase`` of pixels; ``pad`` is more than any kernel extends.
    """
    columns = activity.shape[2]
    spread = np.zeros(out.shape[1], np.float32)
    through, sent = np.empty(columns, np.float32), np.empty(columns, np.float32)
    kernel_u, kernel_z = np.empty(2 * pad + 2, np.float32), np.empty(2 * pad + 2, np.float32)
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
            source = sent[a:b] if step > 0 else sent[a:b][::-1].copy()
            place = pad + start + (step * a if step > 0 else step * (b - 1))
            shift, count = spread_kernel(along[s, y], phase, kernel_u)
            p, q = place + shift, place + shift + count - 1 + b - a
            spread[p:q] = 0.0
            for n in range(count):
                _add_scaled(kernel_u[n], source, spread[p + n : p + n + b - a])
            shift, count = spread_kernel(across[s, y], 0.0, kernel_z)
            for n in range(count):
                _add_scaled(kernel_z[n], spread[p:q], out[s - first + pad + shift + n, p:q])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def planar_adjoint(  # type: ignore[no-untyped-def]
    views, mu, width, rows, along, across, start, step, phase, first, last, pad, volume
):
    """Transpose of `planar_forward`: ``views`` (slice + 2 pad, column + 2 pad) back into slices of ``volume``."""
    columns = volume.shape[2]
    seen = np.empty(views.shape[1], np.float32)
    through, share = np.empty(columns, np.float32), np.empty(columns, np.float32)
    ones, value = np.ones(columns, np.float32), np.empty(columns, np.float32)
    kernel_u, kernel_z = np.empty(2 * pad + 2, np.float32), np.empty(2 * pad + 2, np.float32)
    place = pad + start + (0 if step > 0 else step * (columns - 1))
    for s in range(first, last):
        through[:] = 1.0
        for k in range(rows.size):
            y = rows[k]
            shift, count = spread_kernel(across[s, y], 0.0, kernel_z)
            seen[:] = 0.0
            for n in range(count):
                _add_scaled(kernel_z[n], views[s + pad + shift + n], seen)
            shift, count = spread_kernel(along[s, y], phase, kernel_u)
            value[:] = 0.0
            for n in range(count):
                _add_scaled(kernel_u[n], seen[place + shift + n : place + shift + n + columns], value)
            _send(ones, mu[s, y], width, through, share)
            own, target = value if step > 0 else value[::-1].copy(), volume[s, y]
            for x in range(columns):
                target[x] += share[x] * own[x]


# --- from any side ---------------------------------------------------------------------------


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _look_up(volume, i, j, fi, fj, first, last, out):  # type: ignore[no-untyped-def]
    """Between four neighbours, from slice ``first`` to ``last``."""
    w00, w01 = np.float32((1 - fi) * (1 - fj)), np.float32((1 - fi) * fj)
    w10, w11 = np.float32(fi * (1 - fj)), np.float32(fi * fj)
    a, b = volume[i, j, first:last], volume[i, j + 1, first:last]
    c, d = volume[i + 1, j, first:last], volume[i + 1, j + 1, first:last]
    for z in range(out.size):
        out[z] = w00 * a[z] + w01 * b[z] + w10 * c[z] + w11 * d[z]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turned_paths(mu, width, sine, cosine, centre, first, last, paths, part):  # type: ignore[no-untyped-def]
    """Attenuation summed from the head to the places of a frame, ``paths`` (column, plane, slice - first).

    ``mu`` (row + 2, column + 2, slice) has a border of zeros, ``centre`` is the row and column of the axis; the frame's
    columns from ``part[0]`` to ``part[1]`` are done. Places lie a voxel's width apart, on planes parallel to the head.
    """
    size, planes, slices = paths.shape
    total, here = np.empty(slices, np.float32), np.empty(slices, np.float32)
    for u in range(part[0], part[1]):
        total[:] = 0.0
        for k in range(planes):
            forward, aside = (planes - 1) / 2 - k, u - (size - 1) / 2
            y = centre[0] + forward * cosine + aside * sine
            x = centre[1] + forward * sine - aside * cosine
            row, column = math.floor(y), math.floor(x)
            path = paths[u, k]
            if -1 <= row < mu.shape[0] - 2 and -1 <= column < mu.shape[1] - 2:
                _look_up(mu, row + 1, column + 1, y - row, x - column, first, last, here)
                for z in range(slices):
                    half = np.float32(0.5) * width * here[z]
                    path[z] = total[z] + half
                    total[z] = path[z] + half
            else:
                path[:] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(y, x, planes, size, sine, cosine, centre):  # type: ignore[no-untyped-def]
    """A voxel's plane, column and how far it lies beyond each, on the frame and without being held within it."""
    down, left = y - centre[0], x - centre[1]
    plane = (planes - 1) / 2 - (sine * left + cosine * down)
    column = (size - 1) / 2 + sine * down - cosine * left
    k, u = math.floor(plane + 1e-6), math.floor(column + 1e-6)
    return k, max(plane - k, 0.0), u, max(column - u, 0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def frame_places(rows, columns, planes, size, sine, cosine, centre):  # type: ignore[no-untyped-def]
    """Plane, column and how far each voxel column lies beyond them, (4, row x column) ndarray."""
    out = np.empty((4, rows * columns))
    for y in range(rows):
        for x in range(columns):
            k, fk, u, fu = _place(y, x, planes, size, sine, cosine, centre)
            n = y * columns + x
            out[0, n], out[1, n], out[2, n], out[3, n] = k, fk, u, fu
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _let_through(mu, width, paths, k, fk, u, fu, out):  # type: ignore[no-untyped-def]
    """Share of a voxel column's photons that reach the head, by slice."""
    size, planes, slices = paths.shape
    if k < 0:
        k, fk = 0, 0.0
    elif k > planes - 2:
        k, fk = planes - 2, 1.0
    if u < 0:
        u, fu = 0, 0.0
    elif u > size - 2:
        u, fu = size - 2, 1.0
    _look_up(paths, u, k, fu, fk, 0, slices, out)
    for z in range(slices):
        h = width * mu[z]
        out[z] = _passing(h)[0] * _decay(out[z] - np.float32(0.5) * h)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turned_forward(  # type: ignore[no-untyped-def]
    activity, filled, mu, width, sine, cosine, centre, along, across, first, last, pad, paths, out
):
    """One view of slices ``first`` to ``last``, added into ``out`` (column, slice - first + 2 pad).

    ``activity`` (row, column, slice); ``filled`` (row, column) tells where there is any; ``along`` and ``across`` (row,
    column) are standard deviations in pixels; ``paths`` come from `turned_paths`, or are empty where nothing
    attenuates.
    """
    size, planes = paths.shape[:2]
    slices = last - first
    kernel_u, kernel_z = np.empty(2 * pad + 2, np.float32), np.empty(2 * pad + 2, np.float32)
    share, sent = np.ones(slices, np.float32), np.empty(slices, np.float32)
    blurred = np.empty(slices + 2 * pad, np.float32)
    for y in range(activity.shape[0]):
        for x in range(activity.shape[1]):
            if not filled[y, x]:
                continue
            k, fk, u, fu = _place(y, x, planes, size, sine, cosine, centre)
            shift, count = spread_kernel(along[y, x], fu, kernel_u)
            if u + shift + count <= 0 or u + shift >= size:
                continue
            if paths.shape[2]:
                _let_through(mu[y + 1, x + 1, first:last], width, paths, k, fk, u, fu, share)
            source = activity[y, x, first:last]
            for z in range(slices):
                sent[z] = share[z] * source[z]
            shift_z, count_z = spread_kernel(across[y, x], 0.0, kernel_z)
            blurred[:] = 0.0
            for n in range(count_z):
                _add_scaled(kernel_z[n], sent, blurred[pad + shift_z + n : pad + shift_z + n + slices])
            for n in range(max(-u - shift, 0), min(count, size - u - shift)):
                _add_scaled(kernel_u[n], blurred, out[u + shift + n])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def turned_adjoint(  # type: ignore[no-untyped-def]
    view, mu, width, sine, cosine, centre, along, across, first, last, pad, paths, volume, part
):
    """Transpose of `turned_forward`: a view (column, slice + 2 pad) into a part of ``volume``'s rows."""
    size, planes = paths.shape[:2]
    slices = last - first
    kernel_u, kernel_z = np.empty(2 * pad + 2, np.float32), np.empty(2 * pad + 2, np.float32)
    share, seen = np.ones(slices, np.float32), np.empty(slices + 2 * pad, np.float32)
    value = np.empty(slices, np.float32)
    for y in range(part[0], part[1]):
        for x in range(volume.shape[1]):
            k, fk, u, fu = _place(y, x, planes, size, sine, cosine, centre)
            shift, count = spread_kernel(along[y, x], fu, kernel_u)
            if u + shift + count <= 0 or u + shift >= size:
                continue
            seen[:] = 0.0
            for n in range(max(-u - shift, 0), min(count, size - u - shift)):
                _add_scaled(kernel_u[n], view[u + shift + n, first : last + 2 * pad], seen)
            shift, count = spread_kernel(across[y, x], 0.0, kernel_z)
            value[:] = 0.0
            for n in range(count):
                _add_scaled(kernel_z[n], seen[pad + shift + n : pad + shift + n + slices], value)
            if paths.shape[2]:
                _let_through(mu[y + 1, x + 1, first:last], width, paths, k, fk, u, fu, share)
            target = volume[y, x, first:last]
            for z in range(slices):
                target[z] += share[z] * value[z]
