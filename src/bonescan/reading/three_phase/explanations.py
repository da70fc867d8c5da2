"""What a pattern of three phases may mean: the published table, held against the calls with their probabilities."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources

from bonescan.scan import Phase

__all__ = ["Call", "Calls", "Explanation", "Judgement", "TableRow", "explain", "is_hand_or_foot", "phase_table"]

_TELLING = 0.5  # an agreement below this is no fit [D]
_LESS_COMMON = 0.5  # of less on one side against more on the other, in the order alone [D]
_ELSEWHERE = 0.25  # a disease found nearly always in hands and feet, elsewhere [D for the figure]


class Call(StrEnum):
    """What one phase shows of a region against its counterpart; down without a word is of a whole limb."""

    FOCAL_UP = "focal up"
    DIFFUSE_UP = "diffuse up"
    NORMAL = "normal"
    DOWN = "down"
    FOCAL_DOWN = "focal down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The calls of one phase and their probabilities, apart for a focus and for a whole limb.

    Parameters
    ----------
    focal : float
        Probability that what the phase shows is a focus.
    up_if_focal, down_if_focal, up_if_diffuse, down_if_diffuse : float
        Probability of being up, or down, by the limits of either.
    """

    focal: float
    up_if_focal: float
    down_if_focal: float
    up_if_diffuse: float
    down_if_diffuse: float

    def given(self, focal: bool) -> dict[Call, float]:
        """The calls' probabilities where it is known whether it is a focus."""
        up, down = (self.up_if_focal, self.down_if_focal) if focal else (self.up_if_diffuse, self.down_if_diffuse)
        normal = max(0.0, 1 - up - down)
        if focal:
            return {Call.FOCAL_UP: up, Call.NORMAL: normal, Call.FOCAL_DOWN: down}
        return {Call.DIFFUSE_UP: up, Call.NORMAL: normal, Call.DOWN: down}

    @property
    def probabilities(self) -> dict[Call, float]:
        """Of every call, summing to 1."""
        focal, diffuse = self.given(True), self.given(False)
        return {call: self.focal * focal.get(call, 0.0) + (1 - self.focal) * diffuse.get(call, 0.0) for call in Call}

    @property
    def turned(self) -> Judgement:
        """The same from the other side: more there is less here."""
        return Judgement(
            focal=self.focal,
            up_if_focal=self.down_if_focal,
            down_if_focal=self.up_if_focal,
            up_if_diffuse=self.down_if_diffuse,
            down_if_diffuse=self.up_if_diffuse,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row of the table.

    Parameters
    ----------
    code, name : str
    calls : mapping of Phase to tuple of Call
        What each phase may show.
    bone_spared : bool or None
        Whether soft tissue has more of a diffuse delayed uptake than bone; ``None`` where the table does not say.
    hand_or_foot : bool
        Whether it is a disease of hands and feet.
    source : str
    cannot_tell, advice : tuple of str
    """

    code: str
    name: str
    calls: Mapping[Phase, tuple[Call, ...]]
    bone_spared: bool | None
    hand_or_foot: bool
    source: str
    cannot_tell: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One row of the table, held against a study.

    Parameters
    ----------
    code, name : str
    agreement : float
        Probability that every phase that is there is as the row says, 0 to 1: of the pattern, not of the disease.
    fits : bool
        Whether that is more likely than not.
    side : str
        The patient's side it would be a disease of; empty where that means nothing.
    evidence_for, evidence_against : tuple of str
    cannot_tell, advice : tuple of str
    source : str
    """

    code: str
    name: str
    agreement: float
    fits: bool
    side: str
    evidence_for: tuple[str, ...]
    evidence_against: tuple[str, ...]
    cannot_tell: tuple[str, ...]
    advice: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The phases of one side.

    Parameters
    ----------
    side : str
        ``"right"`` or ``"left"``.
    judgements : mapping of Phase to Judgement
        Of the phases that are there.
    texts : mapping of Phase to str
        What each shows, in words.
    bone_more : float or None
        Probability that bone has more of the delayed difference than soft tissue.
    """

    side: str
    judgements: Mapping[Phase, Judgement]
    texts: Mapping[Phase, str] = field(default_factory=dict)
    bone_more: float | None = None


@cache
def phase_table() -> tuple[TableRow, ...]:
    """The table as packaged, ``data/three_phase.toml``.

    Returns
    -------
    tuple of TableRow
    """
    text = resources.files("bonescan.reading").joinpath("data/three_phase.toml").read_text(encoding="utf-8")
    return tuple(
        TableRow(
            code=row["code"],
            name=row["name"],
            calls={phase: tuple(Call(call) for call in row[phase]) for phase in Phase},
            bone_spared=row.get("bone_spared"),
            hand_or_foot=row.get("hand_or_foot", False),
            source=row["source"],
            cannot_tell=tuple(row["cannot_tell"]),
            advice=tuple(row["advice"]),
        )
        for row in tomllib.loads(text)["row"]
    )


def explain(sides: Sequence[Calls], body_part: str | None = None) -> tuple[Explanation, ...]:
    """Rank the table's rows by how well a study's phases agree with them.

    Parameters
    ----------
    sides : sequence of Calls
        The side that is taken for ill; the other after it, where that is not known.
    body_part : str or None
        What DICOM calls the part that was looked at.

    Returns
    -------
    tuple of Explanation
        Best first; equals, within a tenth, in the table's order.

    Notes
    -----
    Flow and pool both show blood: they are of a focus or not together. With e that they are, and the probability p of
    what the row lists for a phase, ::

        agreement = [sum over e of P(e) p(flow | e) p(pool | e)] p(delayed)

    of the better side. Where the delayed phase is diffusely up, p counts by the probability that bone has more of it
    than soft tissue, or less, as the row says. A disease of hands and feet counts a quarter elsewhere, and less on one
    side comes behind more on the other where they agree alike: both are design.
    """
    found = []
    for row in phase_table():
        scores = [
            _agreement(row, calls, body_part) * (1.0 if k == 0 else _LESS_COMMON) for k, calls in enumerate(sides)
        ]
        best = max(range(len(sides)), key=lambda k: scores[k])
        found.append((scores[best], _held_against(row, sides[best], body_part)))
    return tuple(one for _, one in sorted(found, key=lambda pair: -round(pair[0], 1)))


def is_hand_or_foot(body_part: str | None) -> bool:
    """Whether DICOM's name of a part of the body is that of a hand or foot, or a part of them.

    Parameters
    ----------
    body_part : str or None

    Returns
    -------
    bool
    """
    return (body_part or "").upper() in _HANDS_AND_FEET


def _agreement(row: TableRow, calls: Calls, body_part: str | None) -> float:
    early = [phase for phase in (Phase.FLOW, Phase.POOL) if phase in calls.judgements]
    agreement = 1.0
    if early:
        focal = sum(calls.judgements[phase].focal for phase in early) / len(early)
        agreement = sum(
            share * math.prod(_listed(row, phase, calls.judgements[phase].given(is_focal)) for phase in early)
            for is_focal, share in ((True, focal), (False, 1 - focal))
        )
    if Phase.DELAYED in calls.judgements:
        agreement *= _delayed(row, calls)
    if row.hand_or_foot and body_part and not is_hand_or_foot(body_part):
        agreement *= _ELSEWHERE
    return min(agreement, 1.0)


def _listed(row: TableRow, phase: Phase, probabilities: Mapping[Call, float]) -> float:
    return sum(probabilities.get(call, 0.0) for call in row.calls[phase])


def _delayed(row: TableRow, calls: Calls) -> float:
    probabilities = calls.judgements[Phase.DELAYED].probabilities
    if row.bone_spared is not None:
        bone_more = 0.5 if calls.bone_more is None else calls.bone_more
        share = 1 - bone_more if row.bone_spared else bone_more
        probabilities |= {Call.DIFFUSE_UP: probabilities[Call.DIFFUSE_UP] * share}
    return _listed(row, Phase.DELAYED, probabilities)


def _held_against(row: TableRow, calls: Calls, body_part: str | None) -> Explanation:
    fors, against = [], []
    for phase, judged in calls.judgements.items():
        share = _delayed(row, calls) if phase is Phase.DELAYED else _listed(row, phase, judged.probabilities)
        wanted = " or ".join(row.calls[phase])
        said = calls.texts.get(phase, phase.value.capitalize())
        if share >= _TELLING:
            fors.append(f"{said} The table has {wanted}.")
        else:
            against.append(f"{said} The table has {wanted}.")
    if row.bone_spared is not None and calls.bone_more is not None:
        more = calls.bone_more >= 0.5
        text = f"In the delayed phase {'bone' if more else 'soft tissue'} has more of the difference than " + (
            "soft tissue." if more else "bone."
        )
        (against if more is row.bone_spared else fors).append(text)
    if row.hand_or_foot and body_part:
        if is_hand_or_foot(body_part):
            fors.append("The part is a hand or foot, where it nearly always is.")
        else:
            against.append("The part is neither hand nor foot, where it nearly always is.")
    missing = [phase.value for phase in Phase if phase not in calls.judgements]
    if missing:
        against.append(f"Not held against it for want of the phase: {', '.join(missing)}.")
    agreement = _agreement(row, calls, body_part)
    return Explanation(
        code=row.code,
        name=row.name,
        agreement=agreement,
        fits=agreement >= _TELLING,
        side="" if row.code == "no_asymmetry" else calls.side,
        evidence_for=tuple(fors),
        evidence_against=tuple(against),
        cannot_tell=row.cannot_tell,
        advice=row.advice,
        source=row.source,
    )


_HANDS_AND_FEET = frozenset({"HAND", "WRIST", "FINGER", "THUMB", "FOOT", "ANKLE", "TOE", "CALCANEUS"})
