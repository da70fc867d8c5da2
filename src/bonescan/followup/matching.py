"""Which lesion is which: findings of two readings of one person, joined in one frame.

Findings of bone, hot ones with hot and cold with cold, are joined by place. In the current frame, a pair may be one
lesion where, in some view, their outlines grown by `REACH_MM` overlap, or, seen in different views, their centres lie
within `JOIN_MM` in the body's frame; and where they do not lie on different sides of the body. A finding that one
reading names bone and the other urine or soft tissue is one thing only where the outlines lie on each other
(Dice `SAME_DICE`).

Pairs that share a finding form a group. One to one is a persisting lesion; several to one merged, one to several
split. Of several to several the assignment of least total distance is taken, and what is left over joins its nearest.

A finding without a partner is put to the difference pictures before it is called new (or vanished): its place is
looked up in the other scan, shifted by up to `SHIFT_MM` to where it is most alike. With C and P the mean counts of its
core (where the brighter picture has at least `CORE` of its peak there; of a cold one the whole place),

    brightness  = C / (s P)
    z           = (C - s P) / sqrt(gain C/n + gain_P s P/n + (t M)^2)

(n pixels; t and s of `bonescan.followup.subtraction`). It is new only where z is at least `NEW_SD` and brightness at
least `NEW_RATIO`; otherwise its uptake was there before, below what the finder marked, and it persists. A finding with
a partner that was hardly above normal bone (ratio below `FAINT_RATIO`) and is now brighter by `JUMP_RATIO` is a new
lesion in a place of faint uptake (vanished in the reverse).

A place that the other scan does not show is not comparable; nor is what comes or goes in the bones of a hand that could
not be laid on itself, or before the lumbar spine and sacrum without a trace from behind (bowel, urine, a wrist).

Finders miss faint lesions that a subtraction shows. What is left of the risen and gone places of the difference
pictures, with a peak of `ALONE_SD` and an area of `ALONE_MM2`, on bone and off every finding, is told as a new or
vanished place that neither reading marks, if it is still beyond `ALONE_PLACE_SD` where the other scan is shifted to be
most alike; hands, forearms and feet, and what they lie over, are left out, as no alignment holds them well enough, and
so is what the front view alone shows before the lumbar spine and sacrum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from bonescan.anatomy import REGION_NAMES
from bonescan.anatomy import bone as bone_of
from bonescan.anatomy.body import TISSUE_MU_PER_MM
from bonescan.anatomy.skeleton import segment_of
from bonescan.followup.model import Alignment, ChangeKind, DifferenceView
from bonescan.followup.subtraction import Subtraction, ViewNoise, grown
from bonescan.reading.model import Finding, Kind, LabelledView, Labels, Polarity, Reading
from bonescan.scan import ViewName

__all__ = ["Match", "Named", "PlaceChange", "match"]

Mask = NDArray[np.bool_]

# All limits are our design [D], set on the simulated people of bench/followup.py.
REACH_MM, JOIN_MM = 6.0, 18.0
SHIFT_MM = 6.0
SAME_DICE = 0.4
"""How well a finding of bone and one of another kind must lie on each other to be one thing, named otherwise [D]."""

NEW_SD, NEW_RATIO = 3.0, 1.35
FAINT_RATIO, JUMP_RATIO = 1.5, 2.5
CORE = 0.7
ALONE_SD, ALONE_PLACE_SD, ALONE_MM2, ALONE_RATIO = 5.0, 4.0, 60.0, 1.4
_NOT_ALONE = ("forearm", "hand", "foot")
_BEHIND_THE_BELLY = ("vertebra_l", "sacrum")
_WITH_MORE = {ChangeKind.NEW: "current", ChangeKind.VANISHED: "prior"}
_LEAST_SHOWN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceChange:
    """What the difference pictures say of one place, over the views that show it.

    Parameters
    ----------
    brightness : float
        Current over scaled prior mean counts; ``nan`` where nothing can be said.
    log_spread : float
        Standard deviation of its logarithm.
    significance : float
        Of the difference.
    """

    brightness: float
    log_spread: float
    significance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Where a lesion lies, in the words of `Finding`."""

    bone: str
    side: str
    place: str
    region: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """One lesion in both readings.

    Parameters
    ----------
    kind : ChangeKind
    named : Named
    prior, current : tuple of Finding
    masks : mapping of ViewName to (row, column) ndarray of bool
        Its place on the current pixels, of both scans together.
    place : PlaceChange
    reason : str
    """

    kind: ChangeKind
    named: Named
    prior: tuple[Finding, ...]
    current: tuple[Finding, ...]
    masks: Mapping[ViewName, Mask]
    place: PlaceChange
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Placed:
    """A finding on the current pixels."""

    finding: Finding
    masks: Mapping[ViewName, Mask]
    grown: Mapping[ViewName, Mask]
    x_mm: float
    z_mm: float


def match(prior: Reading, current: Reading, alignment: Alignment, subtraction: Subtraction) -> tuple[Match, ...]:
    """Join the findings of two readings of one person.

    Parameters
    ----------
    prior, current : Reading
    alignment : Alignment
    subtraction : Subtraction
        All of the same scans.

    Returns
    -------
    tuple of Match
        Every bone finding of either reading that lies in a view both scans have, in one match.
    """
    labels = {view.name: view for view in current.labels.views}
    carried = _carried(prior.findings, alignment, labels)
    here = _placed({f.id: (f, {n: v.mask for n, v in f.views.items()}) for f in current.findings}, alignment, labels)
    matches = []
    for polarity in sorted({one.finding.polarity for one in (*carried, *here)}):
        olds = [one for one in carried if one.finding.polarity is polarity]
        news = [one for one in here if one.finding.polarity is polarity]
        for before, now in _groups(olds, news):
            if any(one.finding.kind is Kind.BONE for one in (*before, *now)):
                matches.append(_judged(before, now, alignment, subtraction, labels))
    taken = _unsteady(prior.labels, current.labels, alignment)
    for one in (*carried, *here):
        for name, mask in one.grown.items():
            taken[name] |= mask
    return (*matches, *_alone(taken, subtraction, labels))


def _unsteady(before: Labels, now: Labels, alignment: Alignment) -> dict[ViewName, Mask]:
    """Pixels of the current views within `REACH_MM` of hands, forearms and feet of either scan."""
    then = {view.name: view for view in before.views}
    out = {}
    for view in now.views:
        aligned = alignment.view(view.name)
        mask = _limbs(view)
        if aligned is not None:
            mask |= aligned.carry_mask(_limbs(then[view.name]))
        out[view.name] = grown(mask, REACH_MM, view.pixel_mm)
    return out


def _limbs(view: LabelledView) -> Mask:
    return view.shown(one for one in view.bones if segment_of(one.bone).startswith(_NOT_ALONE))


def _alone(
    taken: Mapping[ViewName, Mask], subtraction: Subtraction, labels: Mapping[ViewName, LabelledView]
) -> list[Match]:
    """Places that the difference pictures alone show, the surest first; the same place in both views is one."""
    found: list[tuple[ChangeKind, ViewName, Mask, float, float, PlaceChange]] = []
    for difference in subtraction.views:
        labelled = labels[difference.name]
        bone = labelled.regions > 0
        for kind, where in ((ChangeKind.NEW, difference.risen), (ChangeKind.VANISHED, difference.gone)):
            parts, _ = ndimage.label(where)
            for number, box in enumerate(ndimage.find_objects(parts), start=1):
                inside = parts[box] == number
                mask = np.zeros(where.shape, np.bool_)
                mask[box] = inside
                area_mm2 = float(inside.sum()) * math.prod(labelled.pixel_mm)
                peak = float(np.abs(difference.significance[mask]).max())
                if area_mm2 < ALONE_MM2 or peak < ALONE_SD or (mask & taken[difference.name]).any():
                    continue
                if np.count_nonzero(mask & bone) < 0.5 * np.count_nonzero(mask):
                    continue
                noise = subtraction.noise[difference.name]
                place = _view_change(mask, difference, noise, labelled, shifted=True)
                sign = 1 if kind is ChangeKind.NEW else -1
                sure = sign * place.significance >= ALONE_PLACE_SD
                if sure and sign * math.log(max(place.brightness, 1e-6)) >= math.log(ALONE_RATIO):
                    x, z = float(labelled.x_mm[mask].mean()), float(labelled.z_mm[mask].mean())
                    found.append((kind, difference.name, mask, x, z, place))
    found.sort(key=lambda one: -abs(one[5].significance))
    matches: list[Match] = []
    places: list[tuple[ChangeKind, float, float]] = []
    for kind, name, mask, x, z, place in found:
        if any(kind is k and math.hypot(x - px, z - pz) <= JOIN_MM for k, px, pz in places):
            continue
        places.append((kind, x, z))
        named = _named(mask, x, labels[name])
        if name is ViewName.ANTERIOR and ViewName.POSTERIOR in labels and named.bone.startswith(_BEHIND_THE_BELLY):
            continue
        times = place.brightness if kind is ChangeKind.NEW else 1 / max(place.brightness, 1e-6)
        matches.append(
            Match(
                kind=kind,
                named=named,
                prior=(),
                current=(),
                masks={name: mask},
                place=place,
                reason=f"Neither reading marks it, but the {_WITH_MORE[kind]} scan shows "
                f"{times:.1f} times more uptake there ({abs(place.significance):.1f} standard deviations): look.",
            )
        )
    return matches


def _named(mask: Mask, x_mm: float, labelled: LabelledView) -> Named:
    """The region under most of a place, and its bone with the most thickness there, weighted by exp(-mu depth)."""
    counts = np.bincount(labelled.regions[mask], minlength=18)
    region = int(counts[1:].argmax()) + 1
    shown: dict[str, float] = {}
    for one in labelled.bones:
        inside = float(one.thickness_mm[mask[one.box]].sum())
        if inside > 0:
            near = 1.0 if bone_of(one.bone).region == region else 0.1
            shown[one.bone] = inside * near * math.exp(-TISSUE_MU_PER_MM * one.depth_mm)
    if not shown:
        side = "midline" if abs(x_mm) < REACH_MM else "left" if x_mm > 0 else "right"
        return Named(bone="", side=side, place=f"{REGION_NAMES[region]}, {side}", region=region)
    bone = bone_of(max(shown, key=lambda name: shown[name]))
    return Named(bone=bone.id, side=bone.side, place=bone.name, region=region)


def _carried(
    findings: Sequence[Finding], alignment: Alignment, labels: Mapping[ViewName, LabelledView]
) -> list[_Placed]:
    moved = {}
    for finding in findings:
        masks = {}
        for name, shown in finding.views.items():
            aligned = alignment.view(name)
            if aligned is not None:
                masks[name] = aligned.carry_mask(shown.mask)
        moved[finding.id] = (finding, masks)
    return _placed(moved, alignment, labels)


def _placed(
    findings: Mapping[int, tuple[Finding, Mapping[ViewName, Mask]]],
    alignment: Alignment,
    labels: Mapping[ViewName, LabelledView],
) -> list[_Placed]:
    out = []
    for finding, masks in findings.values():
        shown = {name: mask for name, mask in masks.items() if alignment.view(name) is not None and mask.any()}
        if not shown:
            continue
        sizes = {name: int(mask.sum()) for name, mask in shown.items()}
        total = sum(sizes.values())
        out.append(
            _Placed(
                finding=finding,
                masks=shown,
                grown={name: grown(mask, REACH_MM, labels[name].pixel_mm) for name, mask in shown.items()},
                x_mm=sum(float(labels[n].x_mm[m].mean()) * sizes[n] for n, m in shown.items()) / total,
                z_mm=sum(float(labels[n].z_mm[m].mean()) * sizes[n] for n, m in shown.items()) / total,
            )
        )
    return out


def _groups(olds: Sequence[_Placed], news: Sequence[_Placed]) -> list[tuple[tuple[_Placed, ...], tuple[_Placed, ...]]]:
    """Findings that are one lesion, each finding in one group."""
    distance = np.array([[_distance(old, new) for new in news] for old in olds]).reshape(len(olds), len(news))
    kept = _assigned(distance)
    groups: list[tuple[tuple[_Placed, ...], tuple[_Placed, ...]]] = []
    for j, new in enumerate(news):
        partners = np.flatnonzero(kept[:, j]).tolist()
        if len(partners) != 1:
            groups.append((tuple(olds[i] for i in partners), (new,)))
    for i, old in enumerate(olds):
        partners = np.flatnonzero(kept[i]).tolist()
        merged = len(partners) == 1 and np.count_nonzero(kept[:, partners[0]]) > 1
        if not merged:
            groups.append(((old,), tuple(news[j] for j in partners)))
    return groups


def _assigned(distance: NDArray[np.float64]) -> Mask:
    """Which pairs hold: those of least total distance, and what is left over with its nearest.

    Every group is a star: one finding of one scan with one or several of the other.
    """
    joined = np.isfinite(distance)
    kept = np.zeros(distance.shape, np.bool_)
    if not joined.any():
        return kept
    rows, columns = linear_sum_assignment(np.where(joined, distance, 1e6))
    kept[rows, columns] = joined[rows, columns]
    left_old = np.flatnonzero(joined.any(axis=1) & ~kept.any(axis=1)).tolist()
    left_new = np.flatnonzero(joined.any(axis=0) & ~kept.any(axis=0)).tolist()
    for i in left_old:
        j = int(distance[i].argmin())
        if kept[kept[:, j]].sum(axis=1).max(initial=0) <= 1:
            kept[i, j] = True
    for j in left_new:
        i = int(distance[:, j].argmin())
        if kept[:, kept[i]].sum(axis=0).max(initial=0) <= 1:
            kept[i, j] = True
    return kept


def _distance(old: _Placed, new: _Placed) -> float:
    """Between centres, mm; infinite where they cannot be one lesion."""
    sides = {old.finding.side, new.finding.side}
    if sides == {"left", "right"} and min(abs(old.x_mm), abs(new.x_mm)) > REACH_MM:
        return math.inf
    between = math.hypot(old.x_mm - new.x_mm, old.z_mm - new.z_mm)
    shared = old.masks.keys() & new.masks.keys()
    if old.finding.kind is not Kind.BONE or new.finding.kind is not Kind.BONE:
        alike = max((_dice(old.masks[name], new.masks[name]) for name in shared), default=0.0)
        return between if alike >= SAME_DICE else math.inf
    if shared:
        overlap = any((old.grown[name] & new.masks[name]).any() for name in shared)
        return between if overlap else math.inf
    return between if between <= JOIN_MM and old.finding.region == new.finding.region else math.inf


def _dice(a: Mask, b: Mask) -> float:
    both = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / both if both else 0.0


def _judged(
    before: tuple[_Placed, ...],
    now: tuple[_Placed, ...],
    alignment: Alignment,
    subtraction: Subtraction,
    labels: Mapping[ViewName, LabelledView],
) -> Match:
    masks: dict[ViewName, Mask] = {}
    for one in (*before, *now):
        for name, mask in one.masks.items():
            masks[name] = masks[name] | mask if name in masks else mask
    alone = not before or not now
    finding = (now or before)[0].finding
    cold = finding.polarity is Polarity.COLD
    place = _place_change(masks, subtraction, labels, shifted=alone, cold=cold)
    kind, reason = _kind(before, now, masks, place, alignment)
    return Match(
        kind=kind,
        named=Named(bone=finding.bone, side=finding.side, place=finding.place, region=finding.region),
        prior=tuple(one.finding for one in before),
        current=tuple(one.finding for one in now),
        masks=masks,
        place=place,
        reason=reason,
    )


def _kind(
    before: tuple[_Placed, ...],
    now: tuple[_Placed, ...],
    masks: Mapping[ViewName, Mask],
    place: PlaceChange,
    alignment: Alignment,
) -> tuple[ChangeKind, str]:
    shown = 0.0
    for name, mask in masks.items():
        aligned = alignment.view(name)
        if aligned is not None:
            shown = max(shown, float(aligned.shown[mask].mean()))
    if before and now:
        if len(before) > 1:
            return ChangeKind.MERGED, f"{len(before)} lesions of the prior scan lie where the current scan has one."
        if len(now) > 1:
            return ChangeKind.SPLIT, f"One lesion of the prior scan lies where the current scan has {len(now)}."
        return _jump(before[0].finding, now[0].finding, place) or (
            ChangeKind.PERSISTING,
            "Both scans show it in the same place.",
        )
    other, this = ("prior", "current") if now else ("current", "prior")
    bone_id = (now or before)[0].finding.bone
    views = [aligned for name in masks if (aligned := alignment.view(name)) is not None]
    if _before_the_spine((now or before)[0].finding, alignment):
        return (
            ChangeKind.NOT_COMPARABLE,
            "Seen from the front alone, where the spine lies behind the belly: bowel, "
            "urine or a wrist over it comes and goes. Look at it.",
        )
    if bone_id and all(segment_of(bone_id) in aligned.unsteady for aligned in views):
        return (
            ChangeKind.NOT_COMPARABLE,
            "The hand lies otherwise in the two scans: its bones could not be laid on each other.",
        )
    if shown < _LEAST_SHOWN or not math.isfinite(place.brightness):
        return ChangeKind.NOT_COMPARABLE, f"The {other} scan does not show its place."
    cold = (now or before)[0].finding.polarity is Polarity.COLD
    sign = (1 if now else -1) * (-1 if cold else 1)
    log_ratio = sign * math.log(max(place.brightness, 1e-6))
    if sign * place.significance >= NEW_SD and log_ratio >= math.log(NEW_RATIO):
        times = math.exp(log_ratio)
        word = "less" if cold else "more"
        return (
            ChangeKind.NEW if now else ChangeKind.VANISHED,
            f"The {this} scan shows {times:.1f} times {word} uptake there than the {other} one, scaled to the same "
            f"normal bone ({abs(place.significance):.1f} standard deviations).",
        )
    return (
        ChangeKind.PERSISTING,
        f"Marked in the {this} scan alone, but the {other} one has about the same uptake there (ratio "
        f"{place.brightness:.2f}): not a change.",
    )


def _before_the_spine(finding: Finding, alignment: Alignment) -> bool:
    """Whether it is named lumbar spine or sacrum, but what lies so near the back does not show from behind."""
    if finding.polarity is Polarity.COLD or not finding.bone.startswith(_BEHIND_THE_BELLY):
        return False
    front, back = finding.views.get(ViewName.ANTERIOR), finding.views.get(ViewName.POSTERIOR)
    unseen = back is None or (back.significance < NEW_SD and back.uptake_ratio < FAINT_RATIO)
    return front is not None and unseen and alignment.view(ViewName.POSTERIOR) is not None


def _jump(before: Finding, now: Finding, place: PlaceChange) -> tuple[ChangeKind, str] | None:
    """New or vanished all the same, where one scan has but faint uptake in the place."""
    if before.polarity is not Polarity.HOT or not math.isfinite(place.brightness):
        return None
    for kind, faint, word, times in (
        (ChangeKind.NEW, before, "prior", place.brightness),
        (ChangeKind.VANISHED, now, "current", 1 / max(place.brightness, 1e-6)),
    ):
        if faint.uptake_ratio < FAINT_RATIO and times >= JUMP_RATIO:
            return kind, (
                f"The {word} scan has faint uptake there ({faint.uptake_ratio:.1f} times normal bone), the other one "
                f"{times:.1f} times as much."
            )
    return None


def _place_change(
    masks: Mapping[ViewName, Mask],
    subtraction: Subtraction,
    labels: Mapping[ViewName, LabelledView],
    *,
    shifted: bool,
    cold: bool,
) -> PlaceChange:
    """The change of mean counts over the place, of all views that show it, each by how sure it is."""
    changes = [
        _view_change(
            mask, difference, subtraction.noise[difference.name], labels[difference.name], shifted=shifted, cold=cold
        )
        for difference in subtraction.views
        if (mask := masks.get(difference.name)) is not None
    ]
    told = [one for one in changes if math.isfinite(one.brightness)]
    if not told:
        return PlaceChange(brightness=math.nan, log_spread=math.inf, significance=0.0)
    weights = np.array([1 / one.log_spread**2 for one in told])
    weights /= weights.sum()
    return PlaceChange(
        brightness=float(np.exp(weights @ np.log([one.brightness for one in told]))),
        log_spread=min(one.log_spread for one in told),  # what displaces one view displaces the other
        significance=float(weights @ [one.significance for one in told]),
    )


def _view_change(
    mask: Mask,
    difference: DifferenceView,
    noise: ViewNoise,
    labelled: LabelledView,
    *,
    shifted: bool,
    cold: bool = False,
) -> PlaceChange:
    brighter = np.maximum(difference.current, difference.prior)
    core = mask if cold else mask & (brighter >= CORE * float(brighter[mask].max()))
    count = int(core.sum())
    current = float(noise.current_counts[core].mean())
    prior = float(noise.prior_counts[core].mean())
    if shifted:
        prior = _most_alike(core, noise.prior_counts, current, labelled)
    variance = (noise.current_gain * current + noise.prior_gain * prior) / count
    mean = 0.5 * (current + prior)
    total = math.sqrt(variance + (noise.spread * mean) ** 2 + 1e-6)
    floor = 1.0 / count  # one count in all: no ratio of nothing
    if current + prior <= 2 * floor:
        return PlaceChange(brightness=math.nan, log_spread=math.inf, significance=0.0)
    relative = noise.current_gain / max(current * count, 1.0) + noise.prior_gain / max(prior * count, 1.0)
    return PlaceChange(
        brightness=(current + floor) / (prior + floor),
        log_spread=math.sqrt(relative + noise.spread**2),
        significance=(current - prior) / total,
    )


def _most_alike(mask: Mask, picture: NDArray[np.float32], wanted: float, labelled: LabelledView) -> float:
    """Mean under the mask, moved by up to `SHIFT_MM` to where it is nearest to what is wanted."""
    rows, columns = np.nonzero(mask)
    steps = [round(SHIFT_MM / size) for size in labelled.pixel_mm]
    best = math.inf
    for down in range(-steps[0], steps[0] + 1):
        for across in range(-steps[1], steps[1] + 1):
            if math.hypot(down / max(steps[0], 1), across / max(steps[1], 1)) > 1:
                continue
            r = np.clip(rows + down, 0, picture.shape[0] - 1)
            c = np.clip(columns + across, 0, picture.shape[1] - 1)
            mean = float(picture[r, c].mean())
            if abs(mean - wanted) < abs(best - wanted):
                best = mean
    return best
