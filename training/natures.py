"""Fit what a spot is, which candidates are findings, and the index's curve, on readings of simulated people.

Run::

    bonescan simulate cohort -o COHORTS/clinic --count 160 --seed 100 --fast
    bonescan simulate cohort:metastatic -o COHORTS/metastatic --count 80 --seed 110 --fast --camera discovery_670_lehr
    bonescan simulate cohort:mimics -o COHORTS/mimics --count 60 --seed 111 --fast --camera infinia_lehr
    python training/natures.py collect COHORTS FEATURES [--without-network] [--processes 2]
    python training/natures.py fit FEATURES

``collect`` reads every study as the package does, up to the candidates, and keeps one small file a study of what was
noticed and what was true, in ``FEATURES/with`` or ``FEATURES/without``; studies that are there are not read again, so
remove the folder when the network or the labels have changed. ``fit`` takes seconds, writes
``src/bonescan/reading/data/natures.json`` and prints its figures.
Seeds 100 to 199 are for this; the network was trained on others, and the final test is held on others again.

Of the studies, a third is read as it is, the others with fewer counts (binomially, a share of 0.12 to 1 in logarithm);
a third becomes an 8-bit picture, as exports for the screen are: stretched, clipped at 255, part of them with a gamma.

A candidate is a lesion by the rule of ``bonescan evaluate``: in a view, peaks within 15 mm, or a quarter of the
smaller's pixels in common; it has the nature of the lesion it shares most with. Lesions whose signal-to-noise ratio is
below `SEEN_SNR` teach nothing. Figures are of people left out, in five parts.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import optimize

from bonescan.reading.findings import natures, traits
from bonescan.reading.findings.natures import BENIGN, Fitted, Linear
from bonescan.reading.measures import burden
from bonescan.reading.model import Finding, Kind, Labels, Nature, Polarity
from bonescan.reading.network import Glance
from bonescan.scan import Scan

Array = NDArray[np.float64]

Choice = tuple[float, int] | None
"""Least probability of a focus, and the doubts that are allowed; none without a network."""

OUT = Path(__file__).parents[1] / "src/bonescan/reading/data/natures.json"
SEEN_SNR = 2.0
VISIBLE_SNR, VISIBLE_CONTRAST = 5.0, 1.3
NEAR_MM, COVERED = 15.0, 0.25
"""As in `bonescan.evaluation`: what a lesion has in one view at least to be looked for, and what a hit is."""
FALSE_PER_SCAN = 2.5
"""False bone findings a scan that are allowed where `keep_from` is chosen [D]: published readers work at 3.8 on people
like those they learnt from, and real scans are not like these."""
PENALTY = 3.0
AGAINST = frozenset({"shape.band", "shape.line", "symmetry.twin"})
"""Known as signs of benign disease: a compression fracture's band [V: J Clin Med 2024;13:3627], ribs broken in a line,
joints alike on both sides [M]. They may not speak for metastasis, whatever a few simulated people would have them say.
"""
FOLDS = 5

NATURES = {
    "metastasis": Nature.METASTATIC,
    "trauma": Nature.TRAUMATIC,
    "infection": Nature.INFLAMMATORY,
    "joint disease": Nature.DEGENERATIVE,
    "other benign bone disease": Nature.OTHER_BENIGN,
    "metabolic bone disease": Nature.OTHER_BENIGN,
    "surgery": Nature.OTHER_BENIGN,
    "artefact": Nature.ARTEFACT,
}


# --- collecting ------------------------------------------------------------------------------------------


def collect(cohort: Path, features: Path, with_network: bool, processes: int) -> None:
    """Read every study of a cohort that has no file yet."""
    out = features / ("with" if with_network else "without")
    out.mkdir(parents=True, exist_ok=True)
    cases = [case for case in sorted(cohort.rglob("case_*")) if not (out / f"{_name(case)}.json").exists()]
    with ProcessPoolExecutor(processes) as pool:
        for done, case in enumerate(pool.map(collect_one, cases, repeat(out), repeat(with_network)), start=1):
            print(f"{case}: {done} of {len(cases)}", file=sys.stderr, flush=True)


def _name(case: Path) -> str:
    return f"{case.parent.name}_{case.name}"


def collect_one(case: Path, out: Path, with_network: bool) -> str:
    """Read one study as far as the candidates and write what was noticed and what was true."""
    from bonescan.dicom import open_scan
    from bonescan.reading import network
    from bonescan.reading.labels import label

    number = int(case.name.rpartition("_")[2])
    scan, share = _as_taken(open_scan(sorted((case / "dicom").glob("*.dcm"))), np.random.default_rng([5, number]))
    glance = network.look(scan) if with_network else None
    if with_network and glance is None:
        raise SystemExit("No trained network is part of this installation; use --without-network.")
    record = _record(case, scan, share, label(scan, glance), glance)
    (out / f"{_name(case)}.part").write_text(json.dumps(record))
    (out / f"{_name(case)}.part").rename(out / f"{_name(case)}.json")
    return _name(case)


def _record(case: Path, scan: Scan, share: float, labels: Labels, glance: Glance | None) -> dict[str, Any]:
    """What was noticed of a study, and what was true."""
    from bonescan.reading.findings.spots import find

    findings = [one for one in find(scan, labels, glance) if one.polarity is Polarity.HOT]
    truth = json.loads((case / "truth/truth.json").read_text())
    for one in [*truth["lesions"], *truth["disturbances"]]:
        for view in one["views"].values():
            view["snr"] *= math.sqrt(share)
    areas = {
        view["name"]: (
            np.array(Image.open(case / f"truth/lesions_{view['name']}.png")),
            (view["row_spacing_mm"], view["column_spacing_mm"]),
        )
        for view in truth["pictures"]
    }
    record: dict[str, Any] = {
        "case": _name(case),
        "counts": float(np.mean([view.total_counts for view in scan.views])),
        "exported": not all(view.counts_are_raw for view in scan.views),
        "index": truth["burden"]["bone_scan_index_percent"],
        "metastatic": truth["burden"]["metastases"] > 0,
        "trusted": labels.trusted,
        "lesions": [_lesion(one) for one in truth["lesions"] if _visible(one)],
        "metastases": {one["number"]: one["mineral_share_percent"] for one in truth["lesions"] if one["metastasis"]},
        "candidates": [
            _rounded(one.numbers) | {"truth": _held(finding, truth, areas)}
            for finding, one in zip(findings, traits.describe(findings, scan, labels, glance), strict=True)
        ],
    }
    if glance is not None:
        mass = burden.filled_mass(labels, glance, findings, burden.mineral_table(scan))
        record["filled"] = mass.percent.sum(1).mean(0).round(5).tolist()
        record["outlined"] = burden.outlined_mass(labels, findings, burden.mineral_table(scan)).round(5).tolist()
    return record


def _as_taken(scan: Scan, rng: np.random.Generator) -> tuple[Scan, float]:
    """A study as another camera, speed or export would have given it, and the share of its counts."""
    share = 1.0 if rng.random() < 1 / 3 else math.exp(rng.uniform(math.log(0.12), 0))
    eight_bits = rng.random() < 0.35
    clipped, gamma = rng.uniform(99.3, 99.95), rng.uniform(0.8, 1.2) if rng.random() < 0.3 else 1.0
    views = []
    for view in scan.views:
        counts = rng.binomial(view.counts.astype(np.int64), share).astype(np.float32)
        if eight_bits:
            brightest = float(np.percentile(counts[counts > 0], clipped))
            counts = np.minimum(np.floor(255 * (counts / brightest) ** gamma), 255).astype(np.float32)
        views.append(replace(view, counts=counts, counts_are_raw=not eight_bits))
    return replace(scan, views=tuple(views)), share


def _visible(lesion: Mapping[str, Any]) -> bool:
    return any(
        view["polarity"] == "hot" and view["snr"] >= VISIBLE_SNR and (view["contrast"] or 99) >= VISIBLE_CONTRAST
        for view in lesion["views"].values()
    )


def _lesion(lesion: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": lesion["number"],
        "kind": lesion["kind"],
        "metastasis": lesion["metastasis"],
        "snr": max(view["snr"] for view in lesion["views"].values()),
    }


def _held(
    finding: Finding, truth: Mapping[str, Any], areas: Mapping[str, tuple[NDArray[np.integer], tuple[float, float]]]
) -> dict[str, Any]:
    """What a candidate truly is, and the numbers of the lesions it hits."""
    shared: dict[int, int] = {}
    lesions = {one["number"]: one for one in [*truth["lesions"], *truth["disturbances"]]}
    for name, view in finding.views.items():
        area, spacing = areas[name.value]
        for number, lesion in lesions.items():
            seen = lesion["views"].get(name.value)
            if seen is None or seen["polarity"] != "hot" or seen["snr"] < SEEN_SNR:
                continue
            down, across = view.peak_row - seen["peak"]["row"], view.peak_column - seen["peak"]["column"]
            own = area == number
            common = int((own & view.mask).sum())
            near = math.hypot(down * spacing[0], across * spacing[1]) <= NEAR_MM
            if near or (common and common >= COVERED * min(int(own.sum()), int(view.mask.sum()))):
                shared[number] = shared.get(number, 0) + 1 + common
    if not shared:
        return {"kind": finding.kind.value, "nature": Nature.PHYSIOLOGIC.value, "lesions": []}
    most = lesions[max(shared, key=lambda number: shared[number])]
    nature = NATURES[most["nature"]]
    if most["kind"] == "arthritis" and "inflamed" in most["label"]:
        nature = Nature.INFLAMMATORY
    return {"kind": finding.kind.value, "nature": nature.value, "lesions": sorted(shared)}


def _rounded(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in numbers.items() if value}


# --- fitting ---------------------------------------------------------------------------------------------


def fit(features: Path) -> None:
    """Fit everything, print the figures, write the packaged file."""
    models, figures = {}, {}
    curve: dict[str, float] = {}
    people = 0
    witnesses: dict[str, list[dict[str, Any]]] = {}
    for name in ("without", "with"):
        records = [json.loads(path.read_text()) for path in sorted((features / name).glob("*_case_*.json"))]
        if not records:
            continue
        people = len(records)
        fitted, figures[name], left_out = _fit_readings(records, name)
        models[name] = _plain(fitted)
        figures[name]["metastatic_people"] = sum(record["metastatic"] for record in records)
        witnesses[f"{name} network"] = _witnesses(fitted, records)
        if name == "with":
            curve, figures["index"] = _fit_curve(records, left_out, (fitted.keep_from, fitted.doubts_allowed))
    models.setdefault("with", models["without"])  # until a network is there: the same form, without its traits
    told = {
        "about": "Weights of evidence for what a spot is; fitted by training/natures.py on simulated people alone.",
        "people": people,
        "models": {f"{name} network": model for name, model in models.items()},
        "burden": curve,
        "figures": figures,
        "witnesses": witnesses,
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def _fit_readings(
    records: Sequence[Mapping[str, Any]], name: str
) -> tuple[Fitted, dict[str, Any], list[list[dict[Nature, float]]]]:
    """The models of one sort of reading, their figures, and the left-out probabilities of every candidate."""
    left_out: list[list[dict[Nature, float]]] = [[] for _ in records]
    for fold in range(FOLDS):
        fitted = _fit_models([r for k, r in enumerate(records) if k % FOLDS != fold])
        for k, record in enumerate(records):
            if k % FOLDS == fold:
                left_out[k] = _chances(fitted, record)
    choice: Choice = None
    figures: dict[str, Any] = {}
    if name == "with":
        choice, figures = _choose_threshold(records, left_out)
    figures["chosen"] = _free_response(records, left_out, choice)
    if choice is not None:
        left_out = [
            natures.tempered(_candidates(one, own), choice[1]) for one, own in zip(records, left_out, strict=True)
        ]
    patient, patient_figures = _fit_patients(records, left_out, choice)
    keep_from, doubts_allowed = choice or (0.0, 0)
    fitted = replace(_fit_models(records), patient=patient, keep_from=keep_from, doubts_allowed=doubts_allowed)
    figures |= patient_figures | _calibration(records, left_out, choice)
    figures["witness_brier"] = round(_brier(fitted, _witnesses(fitted, records)), 4)
    return fitted, figures, left_out


def _numbers(record: Mapping[str, Any]) -> list[dict[str, float]]:
    plain = [{trait: v for trait, v in one.items() if trait != "truth"} for one in record["candidates"]]
    return [one | traits.by_place(one) for one in plain]


def _chances(fitted: Fitted, record: Mapping[str, Any]) -> list[dict[Nature, float]]:
    return [natures.probabilities(fitted, one) for one in natures.in_company(fitted, _numbers(record))]


def _truths(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one["truth"] for one in record["candidates"]]


def _witnesses(fitted: Fitted, records: Sequence[Mapping[str, Any]], count: int = 60) -> list[dict[str, Any]]:
    """Some candidates, evenly through the people, for a test to hold the file to what it says."""
    rows = [
        {"numbers": numbers, "nature": truth["nature"]}
        for record in records
        for numbers, truth in zip(natures.in_company(fitted, _numbers(record)), _truths(record), strict=True)
    ]
    return rows[:: max(len(rows) // count, 1)][:count]


def _brier(fitted: Fitted, witnesses: Sequence[Mapping[str, Any]]) -> float:
    """Mean square of the probability of metastasis less the truth."""
    told = [natures.probabilities(fitted, one["numbers"])[Nature.METASTATIC] for one in witnesses]
    true = [one["nature"] == Nature.METASTATIC.value for one in witnesses]
    return float(np.mean((np.array(told) - np.array(true)) ** 2))


def _fit_models(records: Sequence[Mapping[str, Any]]) -> Fitted:
    """All models; the company that the last one learns from is judged by models of the other people."""
    alone = _fit_alone(records)
    parts = np.arange(len(records)) % FOLDS
    others = [_fit_alone([r for r, own in zip(records, parts, strict=True) if own != part]) for part in range(FOLDS)]
    numbers = [
        one
        for record, part in zip(records, parts, strict=True)
        for one in natures.in_company(others[part], _numbers(record))
    ]
    table = _Table.of(numbers, _natures(records))
    foci = ~table.no_focus
    metastatic = table.linear(foci, table.nature == Nature.METASTATIC.value, AGAINST)
    return replace(alone, mean=table.mean, scale=table.scale, metastatic=metastatic)


def _fit_alone(records: Sequence[Mapping[str, Any]]) -> Fitted:
    """The models that know nothing of a candidate's company; ``metastatic`` is a copy of ``alone``."""
    numbers = [one for record in records for one in _numbers(record)]
    table = _Table.of(numbers, _natures(records))
    metastatic = table.nature == Nature.METASTATIC.value
    benign = ~table.no_focus & ~metastatic
    classes = np.stack([table.nature[benign] == nature.value for nature in BENIGN], axis=1).astype(float)
    biases, weights = _logistic(table.design[benign], classes)
    alone = table.linear(~table.no_focus, metastatic, AGAINST)
    return Fitted(
        mean=table.mean,
        scale=table.scale,
        focus=table.linear(np.ones(len(metastatic), bool), ~table.no_focus),
        alone=alone,
        metastatic=alone,
        artefact=table.linear(table.no_focus, table.nature == Nature.ARTEFACT.value),
        benign={
            nature: Linear(bias=float(biases[k]), weights=dict(zip(table.names, weights[:, k].tolist(), strict=True)))
            for k, nature in enumerate(BENIGN)
        },
        patient=Linear(bias=0.0, weights={}),
        keep_from=0.5,
        doubts_allowed=0,
        metastatic_share=float(metastatic[~table.no_focus].mean()),
    )


def _natures(records: Sequence[Mapping[str, Any]]) -> NDArray[np.str_]:
    return np.array([Nature(one["nature"]).value for record in records for one in _truths(record)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Candidates by traits, in standard deviations, and what each truly is."""

    names: list[str]
    mean: dict[str, float]
    scale: dict[str, float]
    design: Array
    nature: NDArray[np.str_]

    @classmethod
    def of(cls, numbers: Sequence[Mapping[str, float]], nature: NDArray[np.str_]) -> _Table:
        names = sorted({trait for one in numbers for trait in one})
        table = np.array([[one.get(trait, 0.0) for trait in names] for one in numbers])
        mean, scale = table.mean(0), np.maximum(table.std(0), 0.05)
        return cls(
            names=names,
            mean=dict(zip(names, mean.tolist(), strict=True)),
            scale=dict(zip(names, scale.tolist(), strict=True)),
            design=(table - mean) / scale,
            nature=nature,
        )

    @property
    def no_focus(self) -> NDArray[np.bool_]:
        return np.isin(self.nature, [Nature.PHYSIOLOGIC.value, Nature.ARTEFACT.value])

    def linear(self, rows: NDArray[np.bool_], positive: NDArray[np.bool_], against: Collection[str] = ()) -> Linear:
        at_most = [0.0 if name in against else None for name in self.names]
        bias, weights = _logistic(self.design[rows], positive[rows].astype(float)[:, None], at_most)
        return Linear(bias=float(bias[0]), weights=dict(zip(self.names, weights[:, 0].tolist(), strict=True)))


def _logistic(design: Array, target: Array, at_most: Sequence[float | None] | None = None) -> tuple[Array, Array]:
    """Ridge logistic regression; of one column the binary, with a bound for each weight, of several the multinomial."""
    columns = design.shape[1]
    classes = target.shape[1]

    def loss(flat: Array) -> tuple[float, Array]:
        bias, weights = flat[:classes], flat[classes:].reshape(columns, classes)
        score = design @ weights + bias
        if classes == 1:
            value = np.logaddexp(0, score) - target * score
            residual = 1 / (1 + np.exp(-np.clip(score, -40, 40))) - target
        else:
            score = score - score.max(1, keepdims=True)
            total = np.log(np.exp(score).sum(1, keepdims=True))
            value = -(target * (score - total))
            residual = np.exp(score - total) - target
        slope = np.concatenate([residual.sum(0), (design.T @ residual + PENALTY * weights).ravel()])
        return float(value.sum() + 0.5 * PENALTY * (weights**2).sum()), slope

    bounds = None if at_most is None else [(None, None), *((None, most) for most in at_most)]
    found = optimize.minimize(loss, np.zeros(classes * (columns + 1)), jac=True, method="L-BFGS-B", bounds=bounds,
                              options={"maxiter": 500})  # fmt: skip
    return found.x[:classes], found.x[classes:].reshape(columns, classes)


def _candidates(record: Mapping[str, Any], chances: Sequence[Mapping[Nature, float]]) -> list[natures.Candidate]:
    kinds = [Kind(one["kind"]) for one in _truths(record)]
    return list(zip(kinds, _numbers(record), chances, strict=True))


def _kept(record: Mapping[str, Any], chances: Sequence[Mapping[Nature, float]], choice: Choice) -> list[bool]:
    """Whether candidates would be bone findings; without a network all that the rules of place call bone."""
    if choice is None:
        return [one["kind"] == Kind.BONE.value for one in _truths(record)]
    return natures.kept(_candidates(record, chances), *choice)


def _choose_threshold(
    records: Sequence[Mapping[str, Any]], left_out: Sequence[Sequence[Mapping[Nature, float]]]
) -> tuple[tuple[float, int], dict[str, Any]]:
    """The least probability that allows `FALSE_PER_SCAN`, the doubts of nine in ten, and the free-response curve."""
    doubts = [natures.doubts(_candidates(one, own)) for one, own in zip(records, left_out, strict=True)]
    allowed = int(np.percentile(doubts, 90))
    curve = {}
    keep = 0.9
    for threshold in np.arange(0.9, 0.04, -0.02):
        point = _free_response(records, left_out, (float(threshold), allowed))
        curve[f"{threshold:.2f}"] = point
        if point["false_per_scan"] <= FALSE_PER_SCAN:
            keep = round(float(threshold), 2)
    told = {"keep_from": keep, "doubts_allowed": allowed, "free_response": dict(list(curve.items())[::4])}
    return (keep, allowed), told


def _free_response(
    records: Sequence[Mapping[str, Any]], left_out: Sequence[Sequence[Mapping[Nature, float]]], choice: Choice
) -> dict[str, float]:
    false = false_normal = normal = found = visible = found_metastases = metastases = 0
    for record, chances in zip(records, left_out, strict=True):
        kept = [
            truth for truth, is_bone in zip(_truths(record), _kept(record, chances, choice), strict=True) if is_bone
        ]
        wrong = sum(one["nature"] in ("physiologic", "artefact") for one in kept)
        touched = {number for one in kept for number in one["lesions"]}
        false += wrong
        if not record["metastatic"]:
            normal += 1
            false_normal += wrong
        visible += len(record["lesions"])
        found += sum(one["number"] in touched for one in record["lesions"])
        metastases += sum(one["metastasis"] for one in record["lesions"])
        found_metastases += sum(one["metastasis"] and one["number"] in touched for one in record["lesions"])
    return {
        "false_per_scan": round(false / len(records), 3),
        "false_per_scan_without_metastases": round(false_normal / max(normal, 1), 3),
        "found": round(found / max(visible, 1), 4),
        "metastases_found": round(found_metastases / max(metastases, 1), 4),
    }


def _fit_patients(
    records: Sequence[Mapping[str, Any]],
    left_out: Sequence[Sequence[Mapping[Nature, float]]],
    choice: Choice,
) -> tuple[Linear, dict[str, Any]]:
    rows = []
    for record, chances in zip(records, left_out, strict=True):
        judged = [
            (Kind.BONE, own) for own, is_bone in zip(chances, _kept(record, chances, choice), strict=True) if is_bone
        ]
        rows.append(natures.patient_traits(judged))
    names = sorted(rows[0])
    table = np.array([[row[n] for n in names] for row in rows])
    target = np.array([record["metastatic"] for record in records], float)
    mean, scale = table.mean(0), np.maximum(table.std(0), 1e-3)

    def fitted(use: NDArray[np.bool_]) -> tuple[float, Array]:
        bias, weights = _logistic(((table - mean) / scale)[use], target[use][:, None])
        slopes = weights[:, 0] / scale
        return float(bias[0] - (slopes * mean).sum()), slopes

    folds = np.arange(len(records)) % FOLDS
    chance = np.zeros(len(records))
    for fold in range(FOLDS):
        bias, slopes = fitted(folds != fold)
        chance[folds == fold] = 1 / (1 + np.exp(-(bias + table[folds == fold] @ slopes)))
    bias, slopes = fitted(np.ones(len(records), bool))
    figures = {"patient_auc": round(_auc(chance, target), 4), "patient_ece": round(_ece(chance, target), 4)}
    return Linear(bias=bias, weights=dict(zip(names, slopes.tolist(), strict=True))), figures


def _calibration(
    records: Sequence[Mapping[str, Any]],
    left_out: Sequence[Sequence[Mapping[Nature, float]]],
    choice: Choice,
) -> dict[str, Any]:
    """Expected calibration error of every nature over the findings that are kept, and how well natures are told."""
    chances, truth = [], []
    for record, own in zip(records, left_out, strict=True):
        for one, chance, is_bone in zip(_truths(record), own, _kept(record, own, choice), strict=True):
            if is_bone:
                chances.append([chance[nature] for nature in Nature])
                truth.append([one["nature"] == nature.value for nature in Nature])
    table, true = np.array(chances), np.array(truth, float)
    errors = {nature.value: round(_ece(table[:, k], true[:, k]), 4) for k, nature in enumerate(Nature)}
    metastatic = list(Nature).index(Nature.METASTATIC)
    return {
        "ece": errors,
        "metastatic_auc_of_findings": round(_auc(table[:, metastatic], true[:, metastatic]), 4),
        "likeliest_nature_right": round(float((table.argmax(1) == true.argmax(1)).mean()), 4),
        "findings": len(table),
    }


def _fit_curve(
    records: Sequence[Mapping[str, Any]], left_out: Sequence[Sequence[Mapping[Nature, float]]], choice: Choice
) -> tuple[dict[str, float], dict[str, Any]]:
    """The burden's curve, its spread, and its figures of people left out, with parts of it replaced by the truth."""
    told_by_counts = [not one["exported"] and one["trusted"] for one in records]  # what an export clips is gone
    use = [one for one, good in zip(records, told_by_counts, strict=True) if good]
    chances = [one for one, good in zip(left_out, told_by_counts, strict=True) if good]
    counted = [
        np.array(_kept(one, own, choice))
        & np.array([chance[Nature.METASTATIC] >= natures.COUNTED_FROM for chance in own])
        for one, own in zip(use, chances, strict=True)
    ]
    truly = [np.array([one["nature"] == Nature.METASTATIC.value for one in _truths(record)]) for record in use]
    true_mass = [_true_mass(one) for one in use]
    y = np.array([one["index"] for one in use])
    parts = np.arange(len(use)) % FOLDS
    told: dict[str, Array] = {name: np.zeros(len(use)) for name in ("told", "true natures", "true masses")}
    for part in range(FOLDS):
        learn = [k for k in range(len(use)) if parts[k] != part]
        curves = {
            name: _curve([use[k] for k in learn], [who[k] for k in learn], y[learn])
            for name, who in (("told", counted), ("true natures", truly))
        }
        for k in np.flatnonzero(parts == part):
            told["told"][k] = _index(use[k], counted[k], curves["told"])
            told["true natures"][k] = _index(use[k], truly[k], curves["true natures"])
            told["true masses"][k] = float(true_mass[k][counted[k]].sum())
    told["true masses of what was hit"] = np.array([float(mass.sum()) for mass in true_mass])
    curve = _curve(use, counted, y)
    apart = told["told"] - y
    small, middle, wide = y < 0.5, (y >= 1) & (y <= 13), y > 13
    curve |= {
        "spread_percent": round(float(np.sqrt((apart[small] ** 2).mean())), 4),
        "relative_spread": round(float(np.sqrt(((apart[middle] / y[middle]) ** 2).mean())), 4),
        "wide_spread": round(float(np.sqrt(((apart[wide] / y[wide]) ** 2).mean())), 4),
    }
    few = (y >= 0.1) & (y <= 13)
    figures: dict[str, Any] = {
        name: {
            "r_0.1_to_13": round(float(np.corrcoef(values[few], y[few])[0, 1]), 3),
            "mean_error_0.1_to_13": round(float(np.abs(values - y)[few].mean()), 3),
        }
        for name, values in told.items()
    }
    figures |= {
        "people_0.1_to_13": int(few.sum()),
        "r_all": round(float(np.corrcoef(told["told"], y)[0, 1]), 4),
        "mean_told_where_none": round(float(told["told"][y == 0].mean()), 4),
        "mean_error_above_13": round(float(np.abs(apart[wide]).mean()), 2),
    }
    return curve, figures


def _true_mass(record: Mapping[str, Any]) -> Array:
    """Mass of the metastases that each candidate hits; one hit by several is shared as the network fills them."""
    filled = np.array(record["filled"][1:]) + burden.LEAST_PERCENT
    mass = np.zeros(len(filled))
    for number, percent in record["metastases"].items():
        hit = [k for k, one in enumerate(_truths(record)) if int(number) in one["lesions"]]
        if hit:
            mass[hit] += percent * filled[hit] / filled[hit].sum()
    return mass


def _curve(
    records: Sequence[Mapping[str, Any]], counted: Sequence[NDArray[np.bool_]], index: Array
) -> dict[str, float]:
    """Mass of one metastasis by least squares of logarithms, its level by the mean; the rest by the index."""
    logs, masses = [], []
    for record, true in zip(records, index, strict=True):
        mass = _true_mass(record)
        single = (
            np.array([one["nature"] == Nature.METASTATIC.value for one in _truths(record)]) & (mass > 0) & (true <= 13)
        )
        pair = np.stack([record["outlined"], record["filled"][1:]], axis=1)[single]
        logs.append(np.log(pair + burden.LEAST_PERCENT))
        masses.append(mass[single])
    x, mass = np.concatenate(logs), np.concatenate(masses)
    design = np.column_stack([np.ones(len(x)), x])
    slopes = np.linalg.lstsq(design, np.log(np.maximum(mass, 0.002)), rcond=None)[0][1:]
    raised = x @ slopes
    curve = {
        "intercept": float(np.log(mass.sum() / np.exp(raised).sum())),
        "outlined": float(slopes[0]),
        "filled": float(slopes[1]),
        "factor": 1.0,
        "wide": 1.0,
    }
    told = np.array([_index(one, which, curve) for one, which in zip(records, counted, strict=True)])
    few, wide = (told > 0) & (index > 0) & (index <= 13), index > 13
    curve["factor"] = float((told[few] @ index[few]) / (told[few] @ told[few]))
    curve["wide"] = float(np.median(index[wide] / told[wide])) if wide.any() else 1.0
    return {name: round(value, 4) for name, value in curve.items()}


def _index(record: Mapping[str, Any], counted: NDArray[np.bool_], curve: Mapping[str, float]) -> float:
    if not counted.any():
        return 0.0
    mass = burden.expected_mass(np.array(record["outlined"]), np.array(record["filled"][1:]), curve)
    return burden.index_of(float(mass[counted].sum()), float(sum(record["filled"])), curve)[0]


def _auc(score: Array, positive: Array) -> float:
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    ranks[order] = np.arange(1, len(score) + 1)
    for value in np.unique(score):
        same = score == value
        ranks[same] = ranks[same].mean()
    n = positive.sum()
    return float((ranks[positive == 1].sum() - n * (n + 1) / 2) / max(n * (len(score) - n), 1))


def _ece(chance: Array, true: Array, bins: int = 10) -> float:
    which = np.minimum((chance * bins).astype(int), bins - 1)
    return float(sum(abs((chance - true)[which == b].sum()) for b in range(bins)) / max(len(chance), 1))


def _plain(fitted: Fitted) -> dict[str, Any]:
    def short(values: Mapping[str, float]) -> dict[str, float]:
        return {name: float(f"{value:.4g}") for name, value in values.items()}

    def linear(one: Linear) -> dict[str, Any]:
        return {"bias": float(f"{one.bias:.5g}"), "weights": short(one.weights)}

    return {
        "keep_from": fitted.keep_from,
        "doubts_allowed": fitted.doubts_allowed,
        "metastatic_share": round(fitted.metastatic_share, 4),
        "mean": short(fitted.mean),
        "scale": short(fitted.scale),
        "focus": linear(fitted.focus),
        "alone": linear(fitted.alone),
        "metastatic": linear(fitted.metastatic),
        "artefact": linear(fitted.artefact),
        "benign": {nature.value: linear(one) for nature, one in fitted.benign.items()},
        "patient": linear(fitted.patient),
    }


def main() -> int:
    """Collect or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("collect")
    reading.add_argument("cohort", type=Path)
    reading.add_argument("features", type=Path)
    reading.add_argument("--without-network", action="store_true")
    reading.add_argument("--processes", type=int, default=1)
    fitting = commands.add_parser("fit")
    fitting.add_argument("features", type=Path)
    told = parser.parse_args()
    if told.command == "collect":
        collect(told.cohort, told.features, not told.without_network, told.processes)
    else:
        fit(told.features)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
