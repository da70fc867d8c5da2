"""What a physician's edits do to a reading: changed findings measured and judged anew, burden and impression after."""

from __future__ import annotations

from collections.abc import Sequence

from bonescan.reading.case import Case
from bonescan.reading.edits import Change, Delete, Draw, Edit, Merge, Reshape, Split, edit_of, plain
from bonescan.reading.model import Reading

__all__ = ["Change", "Delete", "Draw", "Edit", "Merge", "Reshape", "Split", "edit_of", "plain", "revise"]


def revise(case: Case, edits: Sequence[Edit]) -> Reading:
    """Make a physician's edits to a reading.

    Parameters
    ----------
    case : Case
        As the reader made it.
    edits : sequence of Edit
        In order.

    Returns
    -------
    Reading
        Without edits exactly the case's own. Its `Reading.revision` is left to the caller.

    Raises
    ------
    InvalidValue
        For an edit that cannot be made; ``facts["edit"]`` is its place in the list.
    """
    raise NotImplementedError
