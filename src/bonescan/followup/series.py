"""A whole series of scans of one person: lesions followed through all of them, and what the rules say of it.

Neighbouring scans are compared. A lesion that seems new there is looked for in the scans before, latest first, so that
one the finder missed once is not new again ::

    scan 1 ──compare── scan 2 ──compare── scan 3       one lesion, one letter, through all scans
      └──────────── only where new ──────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count

from bonescan.errors import InvalidValue
from bonescan.followup.area import AreaResponse, area_response
from bonescan.followup.healing import Healing, Uptake, judge_fracture
from bonescan.followup.model import ChangeKind, Comparison, LesionChange, Study
from bonescan.followup.progression import Progression, ScanEvent, judge_progression
from bonescan.measurement import Measurement
from bonescan.reading.model import Nature, Presence, Verdict

__all__ = ["Series", "Track", "follow", "in_order"]

_SUPERSCANS = frozenset({"metastatic_superscan", "metabolic_superscan"})
_UNLIKE = frozenset({"comparability.person", "comparability.tracer"})
"""What makes two scans unfit to be compared lesion by lesion, where it is withheld; counts and speed do not."""
_LIKELY = 0.5  # probability from which a lesion is taken for a fracture [D]
_SAME = frozenset({ChangeKind.PERSISTING, ChangeKind.MERGED, ChangeKind.SPLIT})

Place = tuple[int, int]
"""A finding: number of the scan in the series, id of the finding in its reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One lesion through the whole series.

    Parameters
    ----------
    letter : str
        That of its finding in the last scan, or the next free one where that has none.
    place : str
        In words, as the latest scan that has it says.
    findings : tuple of tuple of int
        By scan: ids of its findings there, empty where it has none.
    present : tuple of bool
        By scan: whether its uptake is there, found by itself or measured at the place of a lesion of another scan.
    counts : bool
        Whether it may be a metastasis: some scan counts it in the Bone Scan Index.
    """

    letter: str
    place: str
    findings: tuple[tuple[int, ...], ...]
    present: tuple[bool, ...]
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Everything `bonescan.followup` says about a series of scans of one person.

    Parameters
    ----------
    studies : tuple of Study
        By date, two at least.
    comparisons : tuple of Comparison
        Of every scan with the one before it; the last one is that of the current scan with its prior.
    tracks : tuple of Track
        By letter.
    progression : Progression
        By the rules of PCWG3, over the whole series.
    area : AreaResponse
        Between the last two scans.
    healing : mapping of str to Healing
        By letter, of the lesions of the last two scans that are most likely fractures.
    """

    studies: tuple[Study, ...]
    comparisons: tuple[Comparison, ...]
    tracks: tuple[Track, ...]
    progression: Progression
    area: AreaResponse
    healing: Mapping[str, Healing]

    @property
    def latest(self) -> Comparison:
        """The comparison of the current scan with the one before it."""
        return self.comparisons[-1]

    def track_of(self, lesion: LesionChange) -> Track | None:
        """The track of a lesion of the latest comparison; none of a place that neither reading marks."""
        last = len(self.studies) - 1
        wanted = set(_places(last - 1, last, lesion))
        for track in self.tracks:
            own = {(scan, number) for scan, numbers in enumerate(track.findings) for number in numbers}
            if own & wanted:
                return track
        return None

    @property
    def letters(self) -> dict[int, str]:
        """Letters of the latest comparison's lesions by id, those of their tracks; unmarked places have free ones."""
        shown = (*self.latest.lesions, *self.latest.unmarked)
        tracks = {lesion.id: self.track_of(lesion) for lesion in shown}
        taken = {track.letter for track in self.tracks} | {one.letter for one in self.studies[-1].reading.findings}
        free = (letter for number in count() if (letter := _letter(number)) not in taken)
        return {number: track.letter if track is not None else next(free) for number, track in tracks.items()}


def in_order(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Sort studies by the time of their scans; where one has none, the order given is kept.

    Parameters
    ----------
    studies : sequence of Study

    Returns
    -------
    tuple of Study
    """
    if any(study.on is None for study in studies):
        return tuple(studies)
    return tuple(sorted(studies, key=_moment))


def _moment(study: Study) -> tuple[date, float]:
    acquired = study.scan.acquired_at
    seconds = (
        0.0
        if acquired is None
        else (acquired - datetime.combine(acquired, datetime.min.time(), acquired.tzinfo)).total_seconds()
    )
    return study.on or date.min, seconds


def follow(
    studies: Sequence[Study],
    compare: Callable[[Study, Study], Comparison],
    *,
    treatment_start: date | None = None,
    injured_on: date | None = None,
) -> Series:
    """Follow one person through a series of scans.

    Parameters
    ----------
    studies : sequence of Study
        Two at least; `in_order` sorts them.
    compare : callable
        Compares a prior study with a current one: `bonescan.followup.compare`.
    treatment_start : date, optional
        First day of the present treatment, see `judge_progression`.
    injured_on : date, optional
        Day of the injury, see `judge_fracture`.

    Returns
    -------
    Series

    Raises
    ------
    InvalidValue
        For fewer than two studies, or dated ones out of order.
    """
    studies = in_order(studies)
    if len(studies) < 2:
        raise InvalidValue(
            f"A comparison needs two scans of one person at least, got {len(studies)}; add an earlier or a later one.",
            got=len(studies),
        )
    links = _Links()
    neighbours = []
    for current in range(1, len(studies)):
        neighbours.append(compare(studies[current - 1], studies[current]))
        links.add(current - 1, current, neighbours[-1].lesions)
        new = {number for lesion in neighbours[-1].of_kind(ChangeKind.NEW) for number in lesion.current}
        for prior in range(current - 2, -1, -1):
            if not new:
                break
            lesions = compare(studies[prior], studies[current]).lesions
            again = [lesion for lesion in lesions if lesion.kind in _SAME and set(lesion.current) & new]
            links.add(prior, current, again)
            new -= {number for lesion in again for number in lesion.current}
    tracks = _tracks(studies, links)
    events = [_event(number, studies, neighbours, tracks) for number in range(len(studies))]
    latest = neighbours[-1]
    why_not = latest.comparability.reasons[0] if latest.comparability.withholds_burden else ""
    return Series(
        studies=studies,
        comparisons=tuple(neighbours),
        tracks=tracks,
        progression=judge_progression(events, treatment_start=treatment_start),
        area=area_response(latest.lesion_area.prior, latest.lesion_area.current, not_comparable=why_not),
        healing=_healing(studies, tracks, injured_on),
    )


def _healing(studies: Sequence[Study], tracks: Sequence[Track], injured_on: date | None) -> dict[str, Healing]:
    """Judge what is most likely a fracture in one of the last two scans; days that are not known are left out."""
    judged = {}
    for track in tracks:
        found = [
            [study.finding(number) for number in numbers]
            for study, numbers in zip(studies, track.findings, strict=True)
        ]
        recent = [finding for findings in found[-2:] for finding in findings]
        if not any(finding.natures.get(Nature.TRAUMATIC, 0.0) > _LIKELY for finding in recent):
            continue
        ratios = {
            study.on: max(finding.uptake_ratio for finding in findings)
            for study, findings in zip(studies, found, strict=True)
            if findings and study.on is not None and (injured_on is None or study.on >= injured_on)
        }
        uptakes = [
            Uptake(on=on, ratio=Measurement(value=ratio, unit="1", method="uptake over normal bone"))
            for on, ratio in ratios.items()
        ]
        if uptakes:
            judged[track.letter] = judge_fracture(uptakes, injured_on=injured_on, bone=recent[0].bone)
    return judged


def _places(prior: int, current: int, lesion: LesionChange) -> list[Place]:
    """The findings that are one lesion; faint uptake where a new one came up, or one vanished, is another."""
    before = () if lesion.kind is ChangeKind.NEW else lesion.prior
    now = () if lesion.kind is ChangeKind.VANISHED else lesion.current
    return [(prior, number) for number in before] + [(current, number) for number in now]


class _Links:
    """Which findings of a series are one lesion: disjoint sets, joined one comparison after another."""

    def __init__(self) -> None:
        self.parent: dict[Place, Place] = {}
        self.shown: dict[Place, set[int]] = {}

    def root(self, place: Place) -> Place:
        self.parent.setdefault(place, place)
        while self.parent[place] != place:
            place = self.parent[place]
        return place

    def add(self, prior: int, current: int, lesions: Sequence[LesionChange]) -> None:
        for lesion in lesions:
            places = _places(prior, current, lesion)
            for place in places:
                self.parent[self.root(place)] = self.root(places[0])
            shown = self.shown.setdefault(places[0], set())
            if lesion.kind in _SAME:
                shown |= {prior, current}
            elif lesion.kind is ChangeKind.NOT_COMPARABLE and lesion.current:
                shown.add(prior)  # what cannot be told to be new is not counted as new

    def groups(self) -> list[tuple[set[Place], set[int]]]:
        members: dict[Place, set[Place]] = {}
        for place in self.parent:
            members.setdefault(self.root(place), set()).add(place)
        return [
            (places, {scan for place in places for scan in self.shown.get(place, ())} | {scan for scan, _ in places})
            for places in members.values()
        ]


def _tracks(studies: Sequence[Study], links: _Links) -> tuple[Track, ...]:
    """One track for every lesion: those of the last scan under their own letters, the others behind them."""
    last = len(studies) - 1
    taken = len(studies[last].reading.findings)
    tracks = []
    for places, shown in sorted(
        links.groups(), key=lambda group: min((last - scan, number) for scan, number in group[0])
    ):
        latest = max(scan for scan, _ in places)
        found = [studies[scan].finding(number) for scan, number in sorted(places)]
        newest = studies[latest].finding(min(number for scan, number in places if scan == latest))
        if latest == last:
            letter = newest.letter
        else:
            letter, taken = _letter(taken), taken + 1
        tracks.append(
            Track(
                letter=letter,
                place=newest.place,
                findings=tuple(
                    tuple(sorted(number for scan, number in places if scan == which)) for which in range(len(studies))
                ),
                present=tuple(which in shown for which in range(len(studies))),
                counts=any(finding.in_burden for finding in found),
            )
        )
    return tuple(tracks)


def _letter(number: int) -> str:
    """A, B, ... Z, AA, AB, ... for 0, 1, ..."""
    return ("" if number < 26 else _letter(number // 26 - 1)) + chr(65 + number % 26)


def _event(
    number: int, studies: Sequence[Study], comparisons: Sequence[Comparison], tracks: Sequence[Track]
) -> ScanEvent:
    """What the rules need to know of one scan."""
    study = studies[number]
    impression = study.reading.impression
    patterns = () if impression is None else impression.patterns
    why_not = ""
    if number:
        before = comparisons[number - 1]
        unlike = [
            check.text
            for check in before.comparability.checks
            if check.code in _UNLIKE and check.verdict is Verdict.WITHHOLD
        ]
        why_not = unlike[0] if unlike else "" if before.alignment.trusted else "it does not fit the scan before it"
    return ScanEvent(
        on=study.on,
        lesions=frozenset(track.letter for track in tracks if track.counts and track.present[number]),
        superscan=any(one.code in _SUPERSCANS and one.presence is Presence.PRESENT for one in patterns),
        not_comparable=why_not,
    )
