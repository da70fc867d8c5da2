"""Findings against circles that a person drew on a scan: found, missed, and what the person did not mark.

One careful visual reading is no truth. These figures say how far two readers agree, and none is an accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bonescan.errors import UnreadableInput
from bonescan.reading.model import Finding, Kind, Polarity
from bonescan.scan import ViewName

__all__ = ["Circle", "agreement_with_circles", "circles_of"]

FOUND_SLACK_PIXELS = 2
EXTRA_SLACK_PIXELS = 6
SURE = 3
"""Confidence, 1 to 5, from which a reader would be expected to find a mark."""

_VIEWS = {"ant": ViewName.ANTERIOR, "post": ViewName.POSTERIOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """One mark of a visual reading in one view.

    Parameters
    ----------
    view : ViewName
    row, column, radius : float
        Pixels.
    confidence : int
        1 to 5; 1 and 2 are mimics and urine that were considered and rejected.
    words : str
        Where it is and how it looks.
    """

    view: ViewName
    row: float
    column: float
    radius: float
    confidence: int
    words: str


def circles_of(record: Mapping[str, Any]) -> tuple[Circle, ...]:
    """The marks of one scan from its entry in ``readings.json``.

    Parameters
    ----------
    record : mapping
        With ``findings``, each with ``view`` (``"ant"`` or ``"post"``), ``row``, ``col``, ``radius``, ``confidence``
        and ``bone``.

    Returns
    -------
    tuple of Circle

    Raises
    ------
    UnreadableInput
        When it lacks any of them.
    """
    try:
        return tuple(
            Circle(
                view=_VIEWS.get(one["view"]) or ViewName(one["view"]),
                row=float(one["row"]),
                column=float(one["col"]),
                radius=float(one["radius"]),
                confidence=int(one["confidence"]),
                words=f"{one['view']} {one['row']},{one['col']} {one['bone']}",
            )
            for one in record["findings"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"A visual reading lacks what it must hold ({error}); see the page Outputs.") from error


def agreement_with_circles(findings: Iterable[Finding], circles: Sequence[Circle]) -> dict[str, dict[str, Any]]:
    """Hold hot bone findings against the circles of one scan.

    A circle of confidence 3 or more is found when a finding touches it, with 2 pixels of slack. A finding is extra when
    no circle of any confidence, mimics included, lies within 6 pixels of it in any of its views.

    Parameters
    ----------
    findings : iterable of Finding
    circles : sequence of Circle

    Returns
    -------
    dict of str to dict
        For ``"all"`` findings and for those ``"in_burden"``: ``sure`` circles, ``found``, and in words ``missed`` and
        ``extra``.
    """
    hot = [one for one in findings if one.kind is Kind.BONE and one.polarity is Polarity.HOT]
    return {"all": _agreement(hot, circles), "in_burden": _agreement([one for one in hot if one.in_burden], circles)}


def _agreement(findings: Sequence[Finding], circles: Sequence[Circle]) -> dict[str, Any]:
    sure = [circle for circle in circles if circle.confidence >= SURE]
    missed = [one for one in sure if not any(_touches(finding, one, FOUND_SLACK_PIXELS) for finding in findings)]
    extra = [finding for finding in findings if not any(_touches(finding, one, EXTRA_SLACK_PIXELS) for one in circles)]
    return {
        "sure": len(sure),
        "found": len(sure) - len(missed),
        "missed": [circle.words for circle in missed],
        "extra": [f"{one.letter} {one.place}, {one.uptake_ratio:.1f} times normal" for one in extra],
    }


def _touches(finding: Finding, circle: Circle, slack: float) -> bool:
    shown = finding.views.get(circle.view)
    if shown is None:
        return False
    rows, columns = np.nonzero(shown.mask)
    return bool((np.hypot(rows - circle.row, columns - circle.column) <= circle.radius + slack).any())
