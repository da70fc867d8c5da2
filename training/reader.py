"""Train the network that reads: from simulated people alone, to ``src/bonescan/reading/data/reader.onnx``.

Run: python training/reader.py OUT [--people FOLDER] [--steps N] [--real FOLDER]

Makes the people (`people`, seed 1) where ``FOLDER`` has none, trains on two cores, prints how well it does on people
kept apart (every 32nd), and writes the weights and ``reader.json`` beside them. It goes on where it was stopped.
``--real FOLDER`` prints, beside that, the overlap of regions with outlines of real scans: they are looked at, never
trained on.

The network is one U-Net for both views: shared weights, and from an eighth of the resolution down each view is given
what the other one sees. Every map of `bonescan.reading.network` is a channel of its last layer.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from augmentation import Canvas, Example, draw, draw_canvas, open_shard, visible
from bonescan.anatomy import REGION_NAMES
from bonescan.reading.network import CHANNELS, FOCI, REGIONS, glance, look
from bonescan.scan import Scan, View, ViewName
from objective import LEVEL_SCALE, MAPS, PARTS, Objective

WIDTHS = (32, 64, 96, 160, 192)
JOINED_FROM = 2
"""First level at which a view is given the other's features: an eighth of the input's resolution."""
EMBEDDING = 48
LAST_LAYERS_SEEN = 600

WORKERS = 2
PER_WORKER = 2
CYCLES = ((4720, 2e-3), (5200, 1.2e-3))
"""Steps and largest rate of each cosine: the second begins warm, and is for the foci, which learn longest."""
DECAY, WARM_UP = 2e-2, 100
AVERAGED = 0.998
HELD_OUT = 32
SEED = 20

HOUSE = Path(__file__).parents[1]
DATA = HOUSE / "src" / "bonescan" / "reading" / "data"
TEST_SAMPLE, SAMPLE = HOUSE / "tests" / "reading" / "held_out.npz", 4

Array = NDArray[Any]


# --- the network -----------------------------------------------------------------------------------------


class Block(nn.Module):
    """Two 3 x 3 convolutions, each normalised and rectified."""

    def __init__(self, of: int, to: int, dilation: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(of, to, 3, padding=1, bias=False),
            nn.BatchNorm2d(to),
            nn.ReLU(),
            nn.Conv2d(to, to, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(to),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Join(nn.Module):
    """Give each view what the other one sees at the same place, and what both see anywhere."""

    def __init__(self, width: int, everywhere: bool) -> None:
        super().__init__()
        self.mixed = nn.Conv2d(2 * width, width, 1)
        self.everywhere = nn.Linear(width, width) if everywhere else None

    def forward(self, x: Tensor) -> Tensor:
        pairs = x.unflatten(0, (-1, 2))
        other = pairs.flip(1).flatten(0, 1)
        mixed = self.mixed(torch.cat([x, other], 1))
        if self.everywhere is not None:
            mean = pairs.mean(dim=(1, 3, 4)).repeat_interleave(2, 0)
            mixed = mixed + self.everywhere(mean)[:, :, None, None]
        return x + functional.relu(mixed)


class Butterfly(nn.Module):
    """From (scan x view, 4 channels, row / 2, column / 2) to maps of the same layout, 4 subpixels a channel."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        deepest = len(widths) - 1
        inputs = (4 * CHANNELS, *widths[:-1])
        self.down = nn.ModuleList(
            Block(a, b, 2 if k == deepest else 1) for k, (a, b) in enumerate(zip(inputs, widths, strict=True))
        )
        self.joins = nn.ModuleList(Join(w, k + JOINED_FROM >= deepest - 1) for k, w in enumerate(widths[JOINED_FROM:]))
        self.up = nn.ModuleList(Block(a + b, a) for a, b in pairwise(widths))
        self.maps = nn.Conv2d(widths[0], 4 * MAPS, 1)
        first = torch.tensor([2.0] + [0.0] * (REGIONS - 1) + [-4.0] * len(FOCI) + [1.5, 0.6])
        self.maps.bias.data = first.repeat_interleave(4)  # nothing, no focus, the eighth thoracic vertebra, rib 6

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps, and what the deepest level sees of both views of each scan in the mean."""
        kept = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            if level >= JOINED_FROM:
                x = self.joins[level - JOINED_FROM](x)
            kept.append(x)
        pooled = x.float().unflatten(0, (-1, 2)).mean(dim=(3, 4)).flatten(1)
        pooled = functional.layer_norm(pooled, pooled.shape[1:])
        x = kept.pop()
        for block in reversed(self.up):
            x = block(torch.cat([kept.pop(), functional.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return self.maps(x), pooled


class Exported(nn.Module):
    """What `bonescan.reading.network.look` runs: one scan, (view, channel, row, column) in, maps out.

    Two layers are fitted when the maps are trained (`fit_last_layers`): the embedding, principal components of what the
    deepest level sees, and the probability that views are exchanged, from each region's share of the body in each view:
    only a picture from the front has a sternum.
    """

    def __init__(self, network: Butterfly) -> None:
        super().__init__()
        self.network = network
        self.embedded = nn.Linear(2 * WIDTHS[-1], EMBEDDING)
        self.exchanged = nn.Linear(2 * (REGIONS - 1), 1)

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        regions, foci, levels, shares, pooled = self.seen(views)
        return regions, foci, levels, torch.sigmoid(self.exchanged(shares)), self.embedded(pooled)[0]

    def seen(self, views: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Maps, shares of regions and deepest features."""
        maps, pooled = self.network(functional.pixel_unshuffle(views, 2))
        regions, foci, levels = functional.pixel_shuffle(maps.float(), 2).split([REGIONS, len(FOCI), 2], 1)
        regions = torch.softmax(regions, 1)
        area = regions[:, 1:].mean(dim=(2, 3))
        shares = (area / (area.sum(1, keepdim=True) + 1e-3)).flatten()
        return regions, torch.sigmoid(foci), LEVEL_SCALE * levels, shares, pooled.float()


def fit_last_layers(exported: Exported, files: Sequence[Path], count: int) -> None:
    """Principal components, whitened, for the embedding; logistic regression for exchanged views."""
    rng = np.random.default_rng([SEED, 6])
    shares, pooled, exchanged = [], [], []
    for _ in range(count):
        example = draw(open_shard(files[rng.integers(len(files))]), draw_canvas(rng), rng)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            *_, own_shares, own_pooled = exported.seen(torch.from_numpy(example.picture))
        shares.append(own_shares)
        pooled.append(own_pooled[0])
        exchanged.append(float(example.exchanged))
    seen = torch.stack(pooled)
    mean = seen.mean(0)
    _, size, axes = torch.linalg.svd(seen - mean, full_matrices=False)
    weight = axes[:EMBEDDING] / (size[:EMBEDDING, None] / count**0.5)
    exported.embedded.weight.data, exported.embedded.bias.data = weight, -weight @ mean
    x, y, layer = torch.stack(shares), torch.tensor(exchanged), exported.exchanged
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(layer(x)[:, 0], y) + 1e-5 * layer.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)


# --- what it is asked for --------------------------------------------------------------------------------


def asked_of(network: Butterfly, examples: Sequence[Example]) -> dict[str, Tensor]:
    """The losses of a network on examples of one size, by name."""

    def views(of: Callable[[Example], Array]) -> Array:
        return np.concatenate([of(example) for example in examples])

    picture = functional.pixel_unshuffle(torch.from_numpy(views(lambda e: e.picture)), 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps, _ = network(picture.to(memory_format=torch.channels_last))
    known, levels, present = views(lambda e: e.known), views(lambda e: e.levels), views(lambda e: e.present)
    lesion = views(lambda e: e.lesion)
    told = Objective.apply(maps, views(lambda e: e.regions), views(lambda e: e.foci), known, levels, present, lesion)
    return dict(zip(PARTS, told, strict=True))


# --- training --------------------------------------------------------------------------------------------


class Training:
    """The network, its average, the optimiser and the step; two threads each compute half a batch's gradient."""

    def __init__(self, out: Path, people: Path, steps: int) -> None:
        torch.manual_seed(SEED)
        self.out, self.people, self.steps, self.step = out, people, steps, 0
        self.network = Butterfly().to(memory_format=torch.channels_last)
        self.replicas = [self.network, *(copy.deepcopy(self.network) for _ in range(WORKERS - 1))]
        for replica in self.replicas[1:]:
            for own, first in zip(replica.parameters(), self.network.parameters(), strict=True):
                own.data = first.data
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=CYCLES[0][1], weight_decay=DECAY)
        self.log: dict[str, float] = defaultdict(float)

    def run(self, each: Callable[[Training], None]) -> None:
        """Take the steps that are left; ``each`` is called after every one."""
        with ThreadPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            while self.step < self.steps:
                files = training_files(self.people)
                canvas = draw_canvas(np.random.default_rng([SEED, self.step]))
                told = list(pool.map(lambda k, f=files, c=canvas: self._gradient(k, f, c), range(WORKERS)))
                self._take_step()
                for one in told:
                    for name, value in one.items():
                        self.log[name] += value / WORKERS
                each(self)

    def _gradient(self, worker: int, files: Sequence[Path], canvas: Canvas) -> dict[str, float]:
        rng = np.random.default_rng([SEED, self.step, worker])
        chosen = [files[k] for k in rng.integers(len(files), size=PER_WORKER)]
        examples = [draw(open_shard(path), canvas, rng) for path in chosen]
        told = asked_of(self.replicas[worker].train(), examples)
        (sum(told.values()) / WORKERS).backward()
        return {name: float(value.detach()) for name, value in told.items()}

    def _take_step(self) -> None:
        own = list(self.network.parameters())
        for replica in self.replicas[1:]:
            for first, other in zip(own, replica.parameters(), strict=True):
                first.grad.add_(other.grad)
                other.grad = None
        nn.utils.clip_grad_norm_(own, 2.0)
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.step)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        keep = min(AVERAGED, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), own, strict=True):
                mean.lerp_(now, 1 - keep)
            buffers = zip(self.average.buffers(), *(r.buffers() for r in self.replicas), strict=True)
            for mean, *now in buffers:
                mean.copy_(torch.stack([one.float() for one in now]).mean(0))

    def save(self) -> None:
        """Keep everything needed to go on."""
        aside = self.out / "checkpoint.part"
        torch.save(
            {
                "step": self.step,
                "networks": [replica.state_dict() for replica in self.replicas],
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            aside,
        )
        aside.replace(self.out / "checkpoint.pt")

    def restore(self) -> None:
        """Go on from what was kept, if anything was."""
        path = self.out / "checkpoint.pt"
        if not path.is_file():
            return
        kept = torch.load(path)
        for replica, state in zip(self.replicas, kept["networks"], strict=True):
            replica.load_state_dict(state)
        self.average.load_state_dict(kept["average"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.step = kept["step"]


def rate(step: int) -> float:
    """Learning rate of a step: a cosine for every cycle, after a short warm-up."""
    for steps, most in CYCLES:
        if step < steps:
            return most * min((step + 1) / WARM_UP, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005)
        step -= steps
    return 0.005 * most


def people_files(people: Path) -> list[Path]:
    return sorted(people.glob("case_*.npz"))


def training_files(people: Path) -> list[Path]:
    return [path for path in people_files(people) if int(path.stem[5:]) % HELD_OUT]


def held_out_files(people: Path) -> list[Path]:
    return [path for path in people_files(people) if int(path.stem[5:]) % HELD_OUT == 0]


# --- how well it does ------------------------------------------------------------------------------------

Run = Callable[[NDArray[np.float32]], Sequence[Array]]
"""A picture (view, channel, row, column) in; the exported network's five answers out."""


def runner(exported: Exported) -> Run:
    """The network as it stands, run by torch in the precision of its training."""
    exported.eval()

    def run(picture: NDArray[np.float32]) -> list[Array]:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            return [one.float().numpy() for one in exported(torch.from_numpy(np.ascontiguousarray(picture)))]

    return run


def onnx_runner(weights: Path) -> Run:
    """Weights as they are shipped."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"views": np.ascontiguousarray(picture)})


def evaluate(run: Run, files: Sequence[Path], count: int, kind: str = "whole") -> dict[str, Any]:
    """Figures on pictures of people that were kept apart; the same pictures every time."""
    rng = np.random.default_rng([SEED, 7])
    tally = np.zeros((2, 3, REGIONS))
    bins = np.zeros((len(FOCI), 2, 1001))
    found, lesions, false, scans, level_error, switched = 0, 0, 0, 0, [], []
    for k in range(count):
        shape = (512, 128) if kind != "part" else (256, 128)
        example = draw(open_shard(files[k % len(files)]), Canvas(kind=kind, shape=shape), rng)
        regions, foci, levels, exchanged, _ = run(example.picture)
        label = regions.argmax(1)
        scans += 1
        switched.append((exchanged[0] > 0.5) == example.exchanged)
        for view in np.flatnonzero(example.present):
            camera = view ^ int(example.exchanged)
            for region in range(REGIONS):
                ours, truth = label[view] == region, example.regions[view] == region
                tally[camera, :, region] += (ours & truth).sum(), ours.sum(), truth.sum()
            known = (example.known[view] & 1) > 0
            for focus in range(len(FOCI)):
                asked = (example.known[view] & (2 if focus == 1 else 1)) > 0 if focus < 5 else np.ones_like(known)
                truth = example.foci[view, focus] > 0.5
                place = np.rint(1000 * foci[view, focus]).astype(int)
                for is_true in (0, 1):
                    bins[focus, is_true] += np.bincount(place[asked & (truth == is_true)], minlength=1001)
            hot = foci[view, 0] > 0.5
            lesion = example.lesion[view]
            numbers = np.unique(lesion[lesion > 0])
            lesions += len(numbers)
            found += sum(bool(hot[lesion == n].any()) for n in numbers)
            blobs, blob_count = ndimage.label(hot)
            touched = np.unique(blobs[ndimage.binary_dilation(lesion > 0, iterations=2) | ~known])
            false += int(blob_count - np.count_nonzero(touched))
            given = example.levels[view] > 0
            level_error.append([np.abs(levels[view] - example.levels[view])[i][given[i]].mean() for i in (0, 1)])
    dice = 2 * tally[:, 0] / np.maximum(tally[:, 1] + tally[:, 2], 1)
    ratio = tally[:, 1] / np.maximum(tally[:, 2], 1)
    curves = {name: curve(bins[k]) for k, name in enumerate(FOCI)}
    return {
        "scans": scans,
        "dice": dice.round(4).tolist(),
        "area_ratio": ratio.round(3).tolist(),
        "mean_dice_1_to_12": [round(float(d[1:13][tally[v, 2, 1:13] > 0].mean()), 4) for v, d in enumerate(dice)],
        "foci": curves,
        "lesions": lesions,
        "found": round(found / max(lesions, 1), 4),
        "false_a_scan": round(false / scans, 3),
        "level_error": [round(float(v), 3) for v in np.nanmean(level_error, axis=0)],
        "exchange_right": round(float(np.mean(switched)), 4),
    }


def curve(bins: Array) -> dict[str, float]:
    """Area under the ROC curve and average precision of pixels, from histograms (false, true) of their probability."""
    false, true = np.cumsum(bins[:, ::-1], axis=1)
    if not true[-1] or not false[-1]:
        return {}
    sensitivity, fall_out = np.r_[0, true / true[-1]], np.r_[0, false / false[-1]]
    precision = true / np.maximum(true + false, 1)
    return {
        "auc": round(float(np.trapezoid(sensitivity, fall_out)), 4),
        "ap": round(float((np.diff(sensitivity) * precision).sum()), 4),
    }


def overlap_with_outlines(run: Run, folder: Path) -> dict[str, Any]:
    """Dice and area ratio of regions 1 to 12 on real scans; for development, by view."""
    from PIL import Image

    from bonescan.dicom import open_scan

    out: dict[str, Any] = {}
    rows: dict[str, list[tuple[str, Array, Array]]] = defaultdict(list)
    for path in sorted(folder.glob("*.dcm"), key=lambda p: int(p.stem)):
        scan = open_scan([path])
        for view in glance(scan, run).views:
            outline = folder / f"{path.stem}_regions_{view.name}.png"
            if outline.is_file():
                truth, ours = np.asarray(Image.open(outline)), view.regions.argmax(0)
                count = np.array([[np.count_nonzero(m == k) for k in range(1, 13)] for m in (ours, truth)], float)
                both = np.array([np.count_nonzero((ours == k) & (truth == k)) for k in range(1, 13)], float)
                theirs = np.where(count[1] > 0, count[1], np.nan)
                rows[view.name].append((path.stem, 2 * both / (count[0] + theirs), count[0] / theirs))
    for name, own in rows.items():
        dice = np.array([d for _, d, _ in own])
        out[name] = {
            "dice": np.nanmean(dice, 0).round(3).tolist(),
            "area_ratio": np.nanmean([r for _, _, r in own], 0).round(2).tolist(),
            "mean": round(float(np.nanmean(np.nanmean(dice, 1))), 4),
            "scans": {n: round(float(np.nanmean(d)), 3) for n, d, _ in own},
        }
    return out


def show(figures: dict[str, Any], real: dict[str, Any]) -> None:
    """Print both as tables."""
    for view, name in enumerate(("anterior", "posterior")):
        print(f"{name:<10}" + "".join(f"{REGION_NAMES.get(r, str(r))[:6]:>7}" for r in range(1, REGIONS)))
        print("  Dice    " + "".join(f"{d:7.2f}" for d in figures["dice"][view][1:]))
        print("  area    " + "".join(f"{d:7.2f}" for d in figures["area_ratio"][view][1:]))
        if name in real:
            print("  r.Dice  " + "".join(f"{d:7.2f}" for d in real[name]["dice"]) + f"   mean {real[name]['mean']}")
            print("  r.area  " + "".join(f"{d:7.2f}" for d in real[name]["area_ratio"]))
            print("  r.scans " + " ".join(f"{n}:{d}" for n, d in real[name]["scans"].items()))
    print({k: v for k, v in figures.items() if k not in ("dice", "area_ratio")}, flush=True)


# --- what is shipped -------------------------------------------------------------------------------------


def export(exported: Exported, path: Path) -> None:
    """Write the network as ONNX, weights in half precision; any rows and columns that are multiples of 32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    exported = copy.deepcopy(exported).eval()
    for module in [m for m in exported.modules() if isinstance(m, Block)]:
        layers = list(module.layers)
        module.layers = nn.Sequential(
            *(
                layer if isinstance(layer, nn.ReLU) else nn.utils.fuse_conv_bn_eval(layer, layers[k + 1])
                for k, layer in enumerate(layers)
                if not isinstance(layer, nn.BatchNorm2d)
            )
        )
    torch.onnx.export(
        exported,
        (torch.zeros(2, CHANNELS, 256, 128),),
        str(path),
        input_names=["views"],
        output_names=["regions", "foci", "levels", "exchanged", "embedding"],
        dynamic_axes={name: {2: "row", 3: "column"} for name in ("views", "regions", "foci", "levels")},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    graph = model.graph
    halved, casts = [], []
    for one in graph.initializer:
        if one.data_type == TensorProto.FLOAT and math.prod(one.dims) > 256:
            half = numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), one.name + "_half")
            casts.append(helper.make_node("Cast", [half.name], [one.name], to=TensorProto.FLOAT))
            halved.append(half)
        else:
            halved.append(one)
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(halved)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def familiarity_of(run: Run, files: Sequence[Path], held_out: Sequence[Path], count: int) -> dict[str, Any]:
    """Where embeddings of simulated scans lie: of people trained on, and how far off people kept apart are."""
    rng = np.random.default_rng([SEED, 8])

    def embeddings(of: Sequence[Path], number: int) -> Array:
        out = []
        for k in range(number):
            canvas = draw_canvas(rng)
            example = draw(open_shard(of[k * max(len(of) // number, 1) % len(of)]), canvas, rng)
            both = run(example.picture)[4], run(example.picture[..., ::-1])[4]
            out.append((both[0] + both[1]) / 2)
        return np.array(out, dtype=np.float64)

    trained = embeddings(files, count)
    mean = trained.mean(0)
    covariance = np.cov(trained.T) + 1e-4 * np.trace(np.cov(trained.T)) / EMBEDDING * np.eye(EMBEDDING)
    precision = np.linalg.inv(covariance)
    away = embeddings(held_out, count // 2) - mean
    distance = np.sqrt(np.einsum("ij,jk,ik->i", away, precision, away))
    return {
        "mean": mean.round(6).tolist(),
        "precision": precision.round(4).tolist(),
        "distance_quantiles": np.quantile(distance, np.linspace(0, 1, 101)).round(3).tolist(),
        "least_score": 0.01,
        "least_distance": round(float(np.quantile(distance, 0.99)), 2),
    }


def write_sample(files: Sequence[Path], path: Path) -> None:
    """Whole-body counts of some people kept apart, with their regions and visible lesions, for the package's tests."""
    rng = np.random.default_rng([SEED, 9])
    shards = [open_shard(one) for one in files]
    expected = [np.maximum(shard.components.sum(axis=0), 0) for shard in shards]
    seen = [visible(shard, own) for shard, own in zip(shards, expected, strict=True)]
    np.savez_compressed(
        path,
        counts=np.array([np.minimum(rng.poisson(own), 65535) for own in expected], dtype=np.uint16),
        regions=np.array([shard.regions for shard in shards]),
        lesions=np.array(seen),
    )


def sample_figures(path: Path) -> dict[str, float]:
    """What the packaged reader makes of the sample: the tests hold it to these."""
    with np.load(path) as file:
        counts, regions, lesions = file["counts"], file["regions"], file["lesions"]
    dice, found = [], []
    for own_counts, own_regions, own_lesions in zip(counts, regions, lesions, strict=True):
        views = tuple(
            View(name=name, counts=one, row_spacing_mm=4.8, column_spacing_mm=4.8, identity_basis="simulated")
            for name, one in zip(ViewName, own_counts, strict=True)
        )
        for view, truth, lesion in zip(look(Scan(views=views)).views, own_regions, own_lesions, strict=True):
            ours = view.regions.argmax(0)
            for region in set(np.unique(truth)) & set(range(1, 13)):
                a, b = ours == region, truth == region
                dice.append(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
            found += [view.foci["hot"][lesion == number].max() > 0.5 for number in np.unique(lesion[lesion > 0])]
    return {"dice": round(float(np.mean(dice)), 4), "found": round(float(np.mean(found)), 4), "lesions": len(found)}


def ship(training: Training, data: Path, real: Path | None) -> None:
    """Write ``reader.onnx`` and ``reader.json`` to ``data``, with figures of the written weights."""
    data.mkdir(parents=True, exist_ok=True)
    weights, kept = data / "reader.onnx", data / "reader.json"
    trained, held_out = training_files(training.people), held_out_files(training.people)
    exported = Exported(training.average).eval()
    fit_last_layers(exported, trained, LAST_LAYERS_SEEN)
    export(exported, weights)
    run = onnx_runner(weights)
    figures = {kind: evaluate(run, held_out, len(held_out), kind) for kind in ("whole", "part")}
    for kind, own in figures.items():
        print(f"{kind}:")
        show(own, overlap_with_outlines(run, real) if real and kind == "whole" else {})
    known: dict[str, Any] = {
        "recipe": {
            "command": "python training/reader.py OUT",
            "seed": SEED,
            "steps": training.step,
            "pictures": training.step * WORKERS * PER_WORKER,
            "people": len(trained),
            "people_kept_apart": len(held_out),
            "parameters": sum(p.numel() for p in training.average.parameters()),
        },
        "figures": figures,
        "familiarity": familiarity_of(run, trained, held_out, 300),
    }
    kept.write_text(json.dumps(known) + "\n", encoding="utf-8")
    if data == DATA:
        write_sample(held_out[:SAMPLE], TEST_SAMPLE)
        known["sample"] = sample_figures(TEST_SAMPLE)
        kept.write_text(json.dumps(known) + "\n", encoding="utf-8")
        print(known["sample"])
    print(f"{weights}: {weights.stat().st_size / 2**20:.1f} MiB", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="checkpoints")
    parser.add_argument("--people", type=Path, help="shards; OUT/people by default, made where there are none")
    parser.add_argument("--count", type=int, default=2250, help="people to make")
    parser.add_argument("--steps", type=int, default=sum(n for n, _ in CYCLES), help="steps of 4 scans in all")
    parser.add_argument("--real", type=Path, help="print overlap with outlines of real scans, too")
    parser.add_argument("--every", type=int, default=400, help="steps between figures")
    parser.add_argument("--data", type=Path, help="where to write the weights; the package's data by default")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    people = chosen.people or chosen.out / "people"
    if not people_files(people):
        script = Path(__file__).with_name("people.py")
        command = [sys.executable, str(script), str(people), "--count", str(chosen.count), "--seed", "1"]
        subprocess.run(command, check=True)
    torch.set_num_threads(1)
    training = Training(chosen.out, people, chosen.steps)
    training.restore()
    began, first = time.monotonic(), training.step

    def each(now: Training) -> None:
        if now.step % 50 == 0:
            means = "  ".join(f"{name} {total / 50:.3f}" for name, total in now.log.items())
            pace = (time.monotonic() - began) / (now.step - first)
            print(f"{now.step:>6}  {pace:.2f} s a step  {means}", flush=True)
            now.log.clear()
        if now.step % chosen.every == 0:
            now.save()
            run = runner(Exported(now.average))
            real = overlap_with_outlines(run, chosen.real) if chosen.real else {}
            show(evaluate(run, held_out_files(now.people), 24), real)

    training.run(each)
    training.save()
    ship(training, chosen.data or DATA, chosen.real)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
