"""Whether two scans were made alike enough to be compared, one question at a time, and why not.

Limits and where they are from:

- *Counts.* The change of the index is withheld where a reading withholds the index itself for want of counts, and
  nowhere else, so that both say the same: below 1 million counts a view, with a network below 0.2. In between the index
  of simulated repeats differed by 0.07 to 0.10 in the mean and by 0.62 at most (24 people) [C], which is beyond what is
  flagged: a warning. So is a ratio of counts beyond 1.5 [D].
- *Speed.* Twice the speed changed the index by 0.35 +/- 0.59 in repeated scans, against 0.10 +/- 0.13 at the same one
  (Anand 2016): withheld from a ratio of 2, a warning from 1.3 [D].
- *Camera.* Another vendor changed it by 0.09 +/- 0.10, not significantly (Anand 2016): a warning alone. Another
  collimator resolves otherwise: a warning.
- *Interval after injection.* Bone gains on soft tissue by the hour: normal vertebrae SUVmax 8.9, 9.6, 10.9, 11.3 at 2,
  3, 4, 5 h. A warning from one hour's difference, and outside 2 to 5 h (EANM 2016).
- *Tracer.* Another phosphonate differs in bone uptake and background: a warning; fluoride against technetium: withheld.
- *Person.* Another sex or birth date: withheld, as these may be two people. Another name or number is a warning.
- *Spelling.* Headers are compared as `bonescan.followup.spelling` reads them: DOE^JOHN is John Doe, 99mTc is Tc-99m.
- *Reader.* Another mass table or network: a warning; read both anew with one version.

References
----------
Anand A et al. J Nucl Med 2016;57:1865 (repeatability of the automated Bone Scan Index).
EANM practice guidelines for bone scintigraphy 2016, doi:10.1007/s00259-016-3415-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.followup.model import Comparability, ComparabilityCheck, Study
from bonescan.followup.spelling import same_name, same_nuclide, same_sex, same_tracer, same_words
from bonescan.reading.measures.quality import INDEX_COUNTS
from bonescan.reading.model import Verdict
from bonescan.scan import Scan

__all__ = ["comparability"]

COUNTS_RATIO = 1.5
SPEED_WARNS, SPEED_WITHHOLDS = 1.3, 2.0
DELAY_APART_H, DELAY_RANGE_H = 1.0, (2.0, 5.0)
WINDOW_APART_KEV = 4.0

_UNKNOWN = "unknown"


def comparability(prior: Study, current: Study) -> Comparability:
    """Ask of two studies whether they may be compared.

    Parameters
    ----------
    prior, current : Study

    Returns
    -------
    Comparability
        Every question, in a fixed order; what the files do not say is `UNKNOWN`.
    """
    before, now = prior.scan, current.scan
    checks = [
        _person(before, now),
        _order(prior, current),
        _tracer(before, now),
        _delay(before, now),
        _camera(before, now),
        _collimator(before, now),
        _window(before, now),
        *_speeds(before, now),
        *_counts(prior, current),
        _views(prior, current),
        _field(prior, current),
        _reader(prior, current),
    ]
    return Comparability(checks=tuple(checks))


def _check(code: str, question: str, verdict: Verdict, told: Sequence[str], text: str) -> ComparabilityCheck:
    prior, current = told
    return ComparabilityCheck(
        code=f"comparability.{code}", question=question, verdict=verdict, prior=prior, current=current, text=text
    )


def _person(before: Scan, now: Scan) -> ComparabilityCheck:
    question = "Is it the same person?"
    a, b = before.patient, now.patient
    facts = [(same_sex(a.sex), same_sex(b.sex), "sex"), (a.birth_date, b.birth_date, "birth date")]
    names = [
        (same_words(a.patient_id), same_words(b.patient_id), "patient number"),
        (same_name(a.name), same_name(b.name), "name"),
    ]
    differ = [word for x, y, word in facts if x and y and x != y]
    renamed = [word for x, y, word in names if x and y and x != y]
    known = [word for x, y, word in (*facts, *names) if x and y]
    alike = [word for word in known if word not in (*differ, *renamed)]
    told = ", ".join(alike) or "nothing alike"
    if differ:
        text = f"The files give another {' and '.join(differ)}: these may be two people."
        return _check("person", question, Verdict.WITHHOLD, (told, told), text)
    if renamed:
        text = f"The files give another {' and '.join(renamed)}: make sure that it is one person."
        return _check("person", question, Verdict.WARN, (told, told), text)
    if not known:
        text = "The files do not say who was scanned: make sure that it is one person."
        return _check("person", question, Verdict.UNKNOWN, (_UNKNOWN, _UNKNOWN), text)
    return _check("person", question, Verdict.PASS, (told, told), f"The same {' and '.join(known)} in both files.")


def _order(prior: Study, current: Study) -> ComparabilityCheck:
    question = "Was the prior scan made before the current one?"
    told = [_UNKNOWN if study.on is None else study.on.isoformat() for study in (prior, current)]
    if prior.on is None or current.on is None:
        return _check("order", question, Verdict.UNKNOWN, told, "A file does not say when the scan was made.")
    days = (current.on - prior.on).days
    if days < 0:
        text = "The scan given as the prior one is the later one: exchange them."
        return _check("order", question, Verdict.WARN, told, text)
    return _check("order", question, Verdict.PASS, told, f"{days} days lie between the scans.")


def _alike(
    code: str,
    question: str,
    names: Sequence[str | None],
    what: str,
    does: str,
    spelt: Callable[[str | None], str] = same_words,
) -> ComparabilityCheck:
    before, now = names
    told = before or _UNKNOWN, now or _UNKNOWN
    if not before or not now:
        return _check(code, question, Verdict.UNKNOWN, told, f"A file does not name the {what}.")
    if spelt(before) == spelt(now):
        return _check(code, question, Verdict.PASS, told, f"The same {what}.")
    return _check(code, question, Verdict.WARN, told, f"Another {what} ({before}, then {now}): {does}.")


def _tracer(before: Scan, now: Scan) -> ComparabilityCheck:
    question = "The same tracer?"
    a, b = before.injection, now.injection
    nuclides = [same_nuclide(one.radionuclide) for one in (a, b)]
    if all(nuclides) and nuclides[0] != nuclides[1]:
        told = a.radionuclide or "", b.radionuclide or ""
        text = f"Another radionuclide ({told[0]}, then {told[1]}): uptake ratios and burden cannot be compared."
        return _check("tracer", question, Verdict.WITHHOLD, told, text)
    return _alike(
        "tracer",
        question,
        (a.radiopharmaceutical, b.radiopharmaceutical),
        "tracer",
        "bone and background take up different shares of it",
        same_tracer,
    )


def _delay(before: Scan, now: Scan) -> ComparabilityCheck:
    question = "The same time after injection?"
    a, b = before.delay_h, now.delay_h
    told = [_UNKNOWN if value is None else f"{value:.1f} h" for value in (a, b)]
    if a is None or b is None:
        text = "A file does not say how long after injection the scan was made."
        return _check("delay", question, Verdict.UNKNOWN, told, text)
    low, high = DELAY_RANGE_H
    if abs(a - b) >= DELAY_APART_H:
        text = f"{told[0]} after injection, then {told[1]}: bone gains on soft tissue by the hour."
        return _check("delay", question, Verdict.WARN, told, text)
    if not (low <= a <= high and low <= b <= high):
        text = f"{told[0]} and {told[1]} after injection; 2 to 5 h are usual."
        return _check("delay", question, Verdict.WARN, told, text)
    return _check("delay", question, Verdict.PASS, told, f"{told[0]} and {told[1]} after injection.")


def _camera(before: Scan, now: Scan) -> ComparabilityCheck:
    names = [
        " ".join(part for part in (scan.device.manufacturer, scan.device.model) if part) or None
        for scan in (before, now)
    ]
    does = "in repeated scans that alone changed the Bone Scan Index by about 0.1"
    return _alike("camera", "The same camera?", names, "camera", does)


def _collimator(before: Scan, now: Scan) -> ComparabilityCheck:
    names = before.device.collimator, now.device.collimator
    does = "it resolves otherwise, and small lesions look brighter or fainter"
    return _alike("collimator", "The same collimator?", names, "collimator", does)


def _window(before: Scan, now: Scan) -> ComparabilityCheck:
    question = "The same energy window?"
    windows = [scan.views[0].energy_window_kev for scan in (before, now)]
    told = [_UNKNOWN if one is None else f"{one[0]:.0f} to {one[1]:.0f} keV" for one in windows]
    a, b = windows
    if a is None or b is None:
        return _check("window", question, Verdict.UNKNOWN, told, "A file does not give the energy window.")
    if max(abs(a[0] - b[0]), abs(a[1] - b[1])) > WINDOW_APART_KEV:
        text = f"Another energy window ({told[0]}, then {told[1]}): another share of scatter."
        return _check("window", question, Verdict.WARN, told, text)
    return _check("window", question, Verdict.PASS, told, f"Both {told[0]}.")


def _pairs(before: Scan, now: Scan) -> Iterator[tuple[str, int, int]]:
    for i, a in enumerate(before.views):
        for j, b in enumerate(now.views):
            if a.name is b.name:
                yield str(a.name), i, j


def _speeds(before: Scan, now: Scan) -> Iterator[ComparabilityCheck]:
    question = "Scanned at the same speed?"
    for name, i, j in _pairs(before, now):
        speeds = [before.views[i].scan_velocity_mm_per_s, now.views[j].scan_velocity_mm_per_s]
        told = [f"{6 * speed:.1f} cm/min" if speed else _UNKNOWN for speed in speeds]
        code = f"speed.{name}"
        a, b = speeds
        if not a or not b:
            yield _check(code, question, Verdict.UNKNOWN, told, f"A file does not state the speed of the {name} view.")
            continue
        ratio = max(a, b) / min(a, b)
        if ratio >= SPEED_WITHHOLDS * 0.99:
            text = f"The {name} view was scanned at {told[0]}, then at {told[1]}: this changes the index too much."
            yield _check(code, question, Verdict.WITHHOLD, told, text)
        elif ratio > SPEED_WARNS:
            text = f"The {name} view was scanned at {told[0]}, then at {told[1]}: faint lesions may come and go."
            yield _check(code, question, Verdict.WARN, told, text)
        else:
            yield _check(code, question, Verdict.PASS, told, f"The {name} view at {told[0]} and {told[1]}.")


def _counts(prior: Study, current: Study) -> Iterator[ComparabilityCheck]:
    question = "Enough counts, and as many?"
    before, now = prior.scan, current.scan
    for name, i, j in _pairs(before, now):
        views = before.views[i], now.views[j]
        code = f"counts.{name}"
        if not all(view.counts_are_raw for view in views):
            text = f"The pixels of the {name} view are no counts in one of the scans: their noise is estimated."
            yield _check(code, question, Verdict.UNKNOWN, (_UNKNOWN, _UNKNOWN), text)
            continue
        a, b = (view.total_counts for view in views)
        told = f"{a / 1e6:.2f} million", f"{b / 1e6:.2f} million"
        words = f"{told[0]}, then {told[1]} counts in the {name} view"
        if any(_too_few(study, name) for study in (prior, current)):
            text = f"{words}: too few for a Bone Scan Index, and so for its change."
            yield _check(code, question, Verdict.WITHHOLD, told, text)
        elif min(a, b) < INDEX_COUNTS and before.whole_body and now.whole_body:
            text = (
                f"{words}: below 1 million the Bone Scan Index of simulated repeats differed by 0.1 in the mean and by "
                "0.6 at most, more than the 0.3 beyond which a change is flagged. Look at the lesions."
            )
            yield _check(code, question, Verdict.WARN, told, text)
        elif max(a, b) > COUNTS_RATIO * min(a, b):
            yield _check(code, question, Verdict.WARN, told, f"{words}: faint lesions may come and go with the counts.")
        else:
            yield _check(code, question, Verdict.PASS, told, f"{words}.")


def _too_few(study: Study, name: str) -> bool:
    """Whether the reading withholds the index for want of counts in the view."""
    return any(
        check.code == f"quality.counts.{name}" and check.verdict is Verdict.WITHHOLD
        for check in study.reading.quality.checks
    )


def _views(prior: Study, current: Study) -> ComparabilityCheck:
    question = "The same views?"
    told = [" and ".join(str(view.name) for view in study.scan.views) for study in (prior, current)]
    if told[0] == told[1]:
        return _check("views", question, Verdict.PASS, told, f"Both scans have {told[0]}.")
    text = f"The prior scan has {told[0]}, the current one {told[1]}: the other view is not compared."
    return _check("views", question, Verdict.WARN, told, text)


def _field(prior: Study, current: Study) -> ComparabilityCheck:
    question = "The same part of the body?"
    seen = [study.reading.labels.regions_in_view for study in (prior, current)]
    told = [f"{len(one)} of {len(REGION_NAMES)} regions" for one in seen]
    missing = sorted(seen[0] ^ seen[1])
    if missing:
        names = ", ".join(REGION_NAMES[region] for region in missing)
        text = f"Only one of the scans shows: {names}. What lies there is not compared."
        return _check("field", question, Verdict.WARN, told, text)
    return _check("field", question, Verdict.PASS, told, "Both scans show the same regions.")


def _reader(prior: Study, current: Study) -> ComparabilityCheck:
    question = "Read by the same method?"
    keys = ("bonescan", "mass_table", "network")
    methods = [
        ", ".join(f"{key} {study.reading.versions.get(key, 'none')}" for key in keys) for study in (prior, current)
    ]
    if methods[0] == methods[1]:
        return _check("reader", question, Verdict.PASS, methods, "Both scans were read by the same version.")
    text = "The scans were read by different versions: read both anew before comparing figures."
    return _check("reader", question, Verdict.WARN, methods, text)
