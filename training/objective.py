"""What the reader's maps are asked for, and which way each number is wrong: losses and their gradient in one pass.

Maps are (view, row / 2, column / 2, 4 x map): channel 4 m + s is map m at subpixel s, row after row. With p the
regions' softmax, t the region that is there and sums over the n pixels of views that are there::

    entropy = -sum log p_t / n
    dice    = 1 - mean over regions c of (2 sum p_c [t = c] + k) / (sum p_c + sum [t = c] + k)
    foci    = sum over foci of w (-y log q - (1 - y) log(1 - q)) / n,   where known; w 20 in bone, 6 for the rest;
              within a lesion of a pixels w_hot is times 16 / a, 0.5 to 3: small lesions count like large ones
    hot     = 0.5 (1 - (2 sum q y + k) / (sum q + sum y + k)) of the first focus
    levels  = 0.1 sum over both levels of the mean smooth L1 distance, where there is a level

Entropy alone leaves small regions out, dice alone is blind to how sure one is; the sum trains both.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from bonescan.reading.network import FOCI, REGIONS

__all__ = ["LEVEL_SCALE", "MAPS", "PARTS", "Objective"]

MAPS = REGIONS + len(FOCI) + 2
LEVEL_SCALE = 10.0
PARTS = ("entropy", "dice", "foci", "hot", "levels")
K = 20.0
BONE_WEIGHT, URINE_WEIGHT, HOT_WEIGHT, LEVEL_WEIGHT = 20.0, 6.0, 0.5, 0.1
LEVEL_BETA = 0.5
LESION_PIXELS, LEAST_TIMES, MOST_TIMES = 16.0, 0.5, 3.0


class Objective(torch.autograd.Function):
    """Maps and truth in, the five losses of `PARTS` out; the gradient is that of their sum."""

    @staticmethod
    def forward(ctx, maps, regions, foci, known, levels, present, lesion):  # type: ignore[no-untyped-def]
        """Losses, (part,) tensor; ``maps`` (view, channel, row, column), the rest arrays."""
        pixels = maps.detach().float().permute(0, 2, 3, 1).contiguous().numpy()
        gradient = np.zeros_like(pixels)
        told = _measure(pixels, regions, foci, known, levels, present, lesion, gradient)
        ctx.save_for_backward(torch.from_numpy(gradient).to(maps.dtype).permute(0, 3, 1, 2))
        return torch.from_numpy(told)

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]
        """Every part must be weighted alike."""
        return ctx.saved_tensors[0] * upstream[0].item(), None, None, None, None, None, None


@numba.njit(nogil=True, cache=True, fastmath=True)
def _measure(maps, regions, foci, known, levels, present, lesion, gradient):  # type: ignore[no-untyped-def]
    views, height, width = maps.shape[:3]
    seen = 0.0
    given = np.zeros(2)
    inter, ours, truth = np.zeros(REGIONS), np.zeros(REGIONS), np.zeros(REGIONS)
    entropy, of_foci = 0.0, 0.0
    hot = np.zeros(3)
    of_level = np.zeros(2)
    for v in range(views):
        if not present[v]:
            continue
        seen += 4.0 * height * width
        for k in range(2):
            for y in range(2 * height):
                for x in range(2 * width):
                    given[k] += levels[v, k, y, x] > 0
    if seen == 0:
        return np.zeros(5, np.float32)
    e = np.empty(REGIONS, np.float32)
    size = np.zeros(256, np.float32)
    for v in range(views):
        if not present[v]:
            continue
        size[:] = 0
        for y in range(2 * height):
            for x in range(2 * width):
                size[lesion[v, y, x]] += 1
        for y in range(height):
            for x in range(width):
                z, g = maps[v, y, x], gradient[v, y, x]
                for s in range(4):
                    yy, xx = 2 * y + s // 2, 2 * x + s % 2
                    t = regions[v, yy, xx]
                    most = z[s]
                    for c in range(1, REGIONS):
                        most = max(most, z[4 * c + s])
                    total = np.float32(0)
                    for c in range(REGIONS):
                        e[c] = np.exp(z[4 * c + s] - most)
                        total += e[c]
                    for c in range(REGIONS):
                        p = e[c] / total
                        g[4 * c + s] = p
                        ours[c] += p
                    entropy -= z[4 * t + s] - most - np.log(total)
                    inter[t] += e[t] / total
                    truth[t] += 1
                    for f in range(7):
                        if f < 5 and not known[v, yy, xx] & (2 if f == 1 else 1):
                            continue
                        m = 4 * (REGIONS + f) + s
                        a, b = z[m], foci[v, f, yy, xx]
                        small = np.exp(-abs(a))
                        weight = BONE_WEIGHT if f < 5 else URINE_WEIGHT
                        if f == 0 and lesion[v, yy, xx]:
                            weight *= min(max(LESION_PIXELS / size[lesion[v, yy, xx]], LEAST_TIMES), MOST_TIMES)
                        of_foci += weight * (max(a, np.float32(0)) - a * b + np.log(1 + small))
                        q = 1 / (1 + small) if a >= 0 else small / (1 + small)
                        g[m] = weight * (q - b) / seen
                        if f == 0:
                            hot[0] += q * b
                            hot[1] += q
                            hot[2] += b
                    for k in range(2):
                        level = levels[v, k, yy, xx]
                        if level > 0:
                            m = 4 * (REGIONS + 7 + k) + s
                            away = LEVEL_SCALE * z[m] - level
                            if abs(away) < LEVEL_BETA:
                                of_level[k] += away * away / (2 * LEVEL_BETA)
                                slope = away / LEVEL_BETA
                            else:
                                of_level[k] += abs(away) - LEVEL_BETA / 2
                                slope = 1.0 if away > 0 else -1.0
                            g[m] = LEVEL_WEIGHT * LEVEL_SCALE * slope / given[k]
    dice = (2 * inter + K) / (ours + truth + K)
    of_p = np.zeros(REGIONS)
    of_t = np.zeros(REGIONS)
    for c in range(1, REGIONS):
        of_p[c] = dice[c] / (ours[c] + truth[c] + K) / (REGIONS - 1)
        of_t[c] = -2 / (ours[c] + truth[c] + K) / (REGIONS - 1)
    hot_size = hot[1] + hot[2] + K
    hot_dice = (2 * hot[0] + K) / hot_size
    for v in range(views):
        if not present[v]:
            continue
        for y in range(height):
            for x in range(width):
                z, g = maps[v, y, x], gradient[v, y, x]
                for s in range(4):
                    yy, xx = 2 * y + s // 2, 2 * x + s % 2
                    t = regions[v, yy, xx]
                    mean = g[4 * t + s] * of_t[t]
                    for c in range(REGIONS):
                        mean += g[4 * c + s] * of_p[c]
                    for c in range(REGIONS):
                        p, own = g[4 * c + s], of_p[c]
                        if c == t:
                            own += of_t[c]
                        g[4 * c + s] = p * (own - mean) + (p - (c == t)) / seen
                    if known[v, yy, xx] & 1:
                        a, b = z[4 * REGIONS + s], foci[v, 0, yy, xx]
                        q = 1 / (1 + np.exp(-a))
                        g[4 * REGIONS + s] -= HOT_WEIGHT * q * (1 - q) * (2 * b - hot_dice) / hot_size
    level_loss = of_level[0] / max(given[0], 1.0) + of_level[1] / max(given[1], 1.0)
    return np.array(
        [
            entropy / seen,
            1 - dice[1:].mean(),
            of_foci / seen,
            HOT_WEIGHT * (1 - hot_dice),
            LEVEL_WEIGHT * level_loss,
        ],
        dtype=np.float32,
    )
