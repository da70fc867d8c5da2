"""What a physician may change of a reading: six kinds of edit, each a value with a plain form for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from bonescan.anatomy import BONES
from bonescan.errors import InvalidValue
from bonescan.reading.model import Kind, Nature
from bonescan.scan import ViewName

__all__ = [
    "CREATING",
    "JUDGED",
    "Change",
    "Delete",
    "Draw",
    "Edit",
    "Made",
    "Merge",
    "Outline",
    "Point",
    "Reshape",
    "Split",
    "edit_of",
    "plain",
]

Point: TypeAlias = tuple[float, float]
"""Row and column in pixels of a view; centres of pixels are whole numbers."""

Outline: TypeAlias = tuple[Point, ...]
"""Closed polygon, the first point not repeated."""

JUDGED = (Nature.METASTATIC, Nature.TRAUMATIC, Nature.DEGENERATIVE, Nature.INFLAMMATORY, Nature.OTHER_BENIGN)
"""Natures a physician may give to a finding of bone."""

_MOST_POINTS = 20_000
_MOST_MERGED = 100
_OF_EVERY = frozenset({"do", "by", "at"})
_FARTHEST = 1e6
"""Pixels from the picture's corner beyond which a coordinate is none; no finding has a larger number either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Who made an edit, and when.

    Parameters
    ----------
    by : str
        The physician's name.
    at : datetime
    """

    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A finding that the reader did not show.

    Parameters
    ----------
    outlines : mapping of ViewName to Outline
        In one view or both.
    kind : Kind
    bone : str
        Bone id; empty for what the labels say lies there.
    nature : Nature, optional
        ``None`` lets the reader judge it.
    number : int, optional
        Of the new finding; ``None`` for the next one that is free.
    made : Made, optional
        ``None`` where nobody noted it.
    """

    outlines: Mapping[ViewName, Outline]
    kind: Kind = Kind.BONE
    bone: str = ""
    nature: Nature | None = None
    number: int | None = None
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    """Another outline of a finding in one view; an empty one takes it out of that view."""

    finding: int
    view: ViewName
    outline: Outline
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A finding cut in two along the line through two points of one view; the smaller part gets a new number."""

    finding: int
    view: ViewName
    line: tuple[Point, Point]
    number: int | None = None
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Several findings taken for one, which keeps the first one's number."""

    findings: tuple[int, ...]
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """A finding that is none."""

    finding: int
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another kind, bone or nature of a finding; what is ``None`` stays.

    Parameters
    ----------
    finding : int
    kind : Kind, optional
    bone : str, optional
        Bone id; empty for what the labels say lies there.
    nature : Nature, optional
    back : bool
        Back to the reader's judgement.
    made : Made, optional
    """

    finding: int
    kind: Kind | None = None
    bone: str | None = None
    nature: Nature | None = None
    back: bool = False
    made: Made | None = None


Edit: TypeAlias = Draw | Reshape | Split | Merge | Delete | Change

CREATING = ("draw", "split")
"""What makes a new finding, by its plain name."""


def edit_of(told: Mapping[str, Any]) -> Edit:
    """Take an edit from its plain form.

    Parameters
    ----------
    told : mapping
        ``do`` names the edit: ``draw``, ``reshape``, ``split``, ``merge``, ``delete`` or ``change``; the rest is what
        that edit needs, and ``by`` and ``at`` where it was noted who made it and when.

    Returns
    -------
    Edit

    Raises
    ------
    InvalidValue
        For one that is none.
    """
    if not isinstance(told, Mapping):
        raise InvalidValue(f"An edit is an object with 'do', got {_shown(told)}.")
    do = told.get("do")
    if not isinstance(do, str) or do not in _FORMS:
        raise InvalidValue(f"An edit does one of {', '.join(_FORMS)}, got {_shown(do)}.", got=str(do)[:40])
    needed, allowed, take = _FORMS[do]
    lacking, unknown = needed - told.keys(), told.keys() - needed - allowed - _OF_EVERY
    if lacking:
        raise InvalidValue(f"The edit {do!r} needs {', '.join(sorted(lacking))}.")
    if unknown:
        raise InvalidValue(f"The edit {do!r} has no {', '.join(sorted(map(_shown, unknown)))[:80]}.")
    return take(told)


def plain(edit: Edit) -> dict[str, Any]:
    """The plain form of an edit, ready for JSON; `edit_of` reverses it.

    Parameters
    ----------
    edit : Edit

    Returns
    -------
    dict
    """
    stamps: dict[str, Any] = {}
    if isinstance(edit, Draw | Split) and edit.number is not None:
        stamps["number"] = edit.number
    if edit.made is not None:
        stamps |= {"by": edit.made.by, "at": edit.made.at.isoformat()}
    return {**_plain(edit), **stamps}


def _plain(edit: Edit) -> dict[str, Any]:
    match edit:
        case Draw():
            outlines = {str(view): [list(point) for point in outline] for view, outline in edit.outlines.items()}
            nature = "" if edit.nature is None else str(edit.nature)
            return {"do": "draw", "outlines": outlines, "kind": str(edit.kind), "bone": edit.bone, "nature": nature}
        case Reshape():
            outline = [list(point) for point in edit.outline]
            return {"do": "reshape", "finding": edit.finding, "view": str(edit.view), "outline": outline}
        case Split():
            line = [list(point) for point in edit.line]
            return {"do": "split", "finding": edit.finding, "view": str(edit.view), "line": line}
        case Merge():
            return {"do": "merge", "findings": list(edit.findings)}
        case Delete():
            return {"do": "delete", "finding": edit.finding}
        case Change():
            told: dict[str, Any] = {"do": "change", "finding": edit.finding}
            if edit.kind is not None:
                told["kind"] = str(edit.kind)
            if edit.bone is not None:
                told["bone"] = edit.bone
            if edit.nature is not None or edit.back:
                told["nature"] = "" if edit.nature is None else str(edit.nature)
            return told


def _draw(told: Mapping[str, Any]) -> Draw:
    outlines = told["outlines"]
    if not isinstance(outlines, Mapping) or not outlines:
        raise InvalidValue("A finding is drawn by its outlines in one view or both, by the views' names.")
    kind, nature = _kind(told.get("kind", Kind.BONE)), _nature(told.get("nature", ""))
    _refuse_disease_off_bone(kind, nature)
    drawn = {_view(view): _outline(outline) for view, outline in outlines.items()}
    shown = {view: outline for view, outline in drawn.items() if outline}
    if not shown:
        raise InvalidValue("The outline has no points; draw around the finding.")
    return Draw(
        outlines=shown,
        kind=kind,
        bone=_bone(told.get("bone", "")),
        nature=nature,
        number=_new_number(told),
        made=_made(told),
    )


def _reshape(told: Mapping[str, Any]) -> Reshape:
    return Reshape(
        finding=_number(told["finding"]),
        view=_view(told["view"]),
        outline=_outline(told["outline"]),
        made=_made(told),
    )


def _split(told: Mapping[str, Any]) -> Split:
    line = told["line"]
    if not isinstance(line, Sequence) or isinstance(line, str) or len(line) != 2:
        raise InvalidValue("A finding is split along the line through two points.")
    first, second = _point(line[0]), _point(line[1])
    if first == second:
        raise InvalidValue("The two points of the line are one; draw the line through the finding.")
    return Split(
        finding=_number(told["finding"]),
        view=_view(told["view"]),
        line=(first, second),
        number=_new_number(told),
        made=_made(told),
    )


def _merge(told: Mapping[str, Any]) -> Merge:
    findings = told["findings"]
    if not isinstance(findings, Sequence) or isinstance(findings, str) or not 2 <= len(findings) <= _MOST_MERGED:
        raise InvalidValue("Two findings or more are merged; name them by their numbers.")
    numbers = tuple(_number(one) for one in findings)
    if len(set(numbers)) < len(numbers):
        raise InvalidValue("A finding cannot be merged with itself; name two different ones.")
    return Merge(findings=numbers, made=_made(told))


def _delete(told: Mapping[str, Any]) -> Delete:
    return Delete(finding=_number(told["finding"]), made=_made(told))


def _change(told: Mapping[str, Any]) -> Change:
    if not told.keys() & {"kind", "bone", "nature"}:
        raise InvalidValue("Nothing is changed; give a kind, a bone or a nature.")
    kind = None if told.get("kind") is None else _kind(told["kind"])
    nature = None if told.get("nature") is None else _nature(told["nature"])
    if kind is not None:
        _refuse_disease_off_bone(kind, nature)
    return Change(
        finding=_number(told["finding"]),
        kind=kind,
        bone=None if told.get("bone") is None else _bone(told["bone"]),
        nature=nature,
        back=told.get("nature") == "",
        made=_made(told),
    )


_FORMS: Mapping[str, tuple[frozenset[str], frozenset[str], Callable[[Mapping[str, Any]], Edit]]] = {
    "draw": (frozenset({"outlines"}), frozenset({"kind", "bone", "nature", "number"}), _draw),
    "reshape": (frozenset({"finding", "view", "outline"}), frozenset(), _reshape),
    "split": (frozenset({"finding", "view", "line"}), frozenset({"number"}), _split),
    "merge": (frozenset({"findings"}), frozenset(), _merge),
    "delete": (frozenset({"finding"}), frozenset(), _delete),
    "change": (frozenset({"finding"}), frozenset({"kind", "bone", "nature"}), _change),
}
"""By name: what an edit needs, what it may have beside, and how it is taken."""


def _refuse_disease_off_bone(kind: Kind, nature: Nature | None) -> None:
    if kind is not Kind.BONE and nature is not None:
        raise InvalidValue(f"What is {kind} has no nature of bone disease, got {nature}; give one or the other.")


def _number(told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or abs(told) > _FARTHEST:
        raise InvalidValue(f"A finding is named by its number, got {_shown(told)}.")
    return told


def _new_number(told: Mapping[str, Any]) -> int | None:
    if told.get("number") is None:
        return None
    number = _number(told["number"])
    if number < 1:
        raise InvalidValue(f"A new finding has a number from 1, got {_shown(number)}.")
    return number


def _made(told: Mapping[str, Any]) -> Made | None:
    if not told.keys() & {"by", "at"}:
        return None
    by, at = told.get("by"), told.get("at")
    try:
        if not (isinstance(by, str) and by and isinstance(at, str)):
            raise ValueError(at)
        return Made(by=by, at=datetime.fromisoformat(at))
    except ValueError as error:
        raise InvalidValue(f"Who made an edit and when is a name and a time, got {_shown((by, at))}.") from error


def _view(told: object) -> ViewName:
    if told not in tuple(ViewName):
        raise InvalidValue(f"A view is 'anterior' or 'posterior', got {_shown(told)}.")
    return ViewName(str(told))


def _kind(told: object) -> Kind:
    if told not in tuple(Kind):
        raise InvalidValue(f"A finding is 'bone', 'physiologic' or 'artefact', got {_shown(told)}.")
    return Kind(str(told))


def _nature(told: object) -> Nature | None:
    if told == "":
        return None
    if told not in JUDGED:
        raise InvalidValue(
            f"A physician judges a finding {', '.join(JUDGED)}, or leaves it to the reader, got {_shown(told)}."
        )
    return Nature(str(told))


def _bone(told: object) -> str:
    if told != "" and (not isinstance(told, str) or told not in _BONE_IDS):
        raise InvalidValue(f"No bone has the id {_shown(told)}.")
    return str(told)


_BONE_IDS = frozenset(one.id for one in BONES)


def _outline(told: object) -> Outline:
    if not isinstance(told, Sequence) or isinstance(told, str):
        raise InvalidValue("An outline is a list of points, each of a row and a column.")
    if len(told) > _MOST_POINTS:
        raise InvalidValue(f"The outline has {len(told)} points, more than {_MOST_POINTS}; draw it more coarsely.")
    if 0 < len(told) < 3:
        raise InvalidValue(f"An outline has three points at least, got {len(told)}.")
    return tuple(_point(point) for point in told)


def _point(told: object) -> Point:
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) != 2:
        raise InvalidValue(f"A point is a row and a column, got {_shown(told)}.")
    for part in told:
        if isinstance(part, bool) or not isinstance(part, int | float):
            raise InvalidValue(f"A point is a row and a column in pixels, got {_shown(told)}.")
        if not abs(part) <= _FARTHEST:  # nor is what is not a number
            raise InvalidValue(f"The point {_shown(told)} lies far outside any picture, or is none.")
    return float(told[0]), float(told[1])


def _shown(told: object) -> str:
    return repr(told)[:60]
