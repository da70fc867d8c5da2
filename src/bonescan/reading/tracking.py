"""Which finding is which through all versions of a reading: numbers given once, and a name from what made the finding.

The reader numbers its findings anew each time it reads, and two drafts of one version know nothing of each other. A
number alone therefore does not say which finding is meant; an identity does. It follows from the pixels that the reader
found, or from the whole edit by which a physician made the finding, with its number, hand and moment, and outlives
every other edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import InvalidValue
from bonescan.reading.edits import Draw, Edit, Split, plain
from bonescan.reading.model import Finding, Reading
from bonescan.scan import ViewName

__all__ = ["identities", "identities_of", "identity_of_masks", "numbered"]

_LENGTH = 32  # hexadecimal digits: 128 bits


def numbered(edits: Sequence[Edit], taken: Collection[int]) -> tuple[Edit, ...]:
    """Give every finding that edits make its number, where the edit does not tell it.

    Parameters
    ----------
    edits : sequence of Edit
        In order.
    taken : collection of int
        Numbers of the reader's own findings.

    Returns
    -------
    tuple of Edit
        Each new number is above all before it, also above those of findings that were deleted since.

    Raises
    ------
    InvalidValue
        For a number that is taken; ``facts["edit"]`` is the edit's place in the list.
    """
    used, told = set(taken), []
    for place, edit in enumerate(edits):
        if isinstance(edit, Draw | Split):
            number = max(used, default=0) + 1 if edit.number is None else edit.number
            if number in used:
                raise InvalidValue(f"There is a finding of number {number} already.", edit=place)
            used.add(number)
            edit = replace(edit, number=number)
        told.append(edit)
    return tuple(told)


def identities(read: Iterable[Finding], edits: Sequence[Edit] = ()) -> dict[int, str]:
    """What tells every finding from every other one of any version.

    Parameters
    ----------
    read : iterable of Finding
        The reader's own.
    edits : sequence of Edit
        Made to them, as `numbered` gives them.

    Returns
    -------
    dict of int to str
        By number; also of findings that the edits delete.
    """
    found = {one.id: identity_of_masks({name: seen.mask for name, seen in one.views.items()}) for one in read}
    for edit in edits:
        if isinstance(edit, Draw | Split) and edit.number is not None:
            canonical = json.dumps(plain(edit), sort_keys=True, separators=(",", ":"))
            found[edit.number] = _digest(canonical.encode())
    return found


def identities_of(reading: Reading) -> dict[int, str]:
    """The identities of a reading's findings.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict of int to str
        By number: what its revision has kept, else what the reader found.
    """
    kept = {} if reading.revision is None else reading.revision.identities
    return {**identities(one for one in reading.findings if one.id not in kept), **kept}


def identity_of_masks(masks: Mapping[ViewName, NDArray[np.bool_]]) -> str:
    """What tells a place by its pixels.

    Parameters
    ----------
    masks : mapping of ViewName to (row, column) ndarray of bool

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    parts = []
    for name in sorted(masks):
        mask = masks[name]
        parts.append(f"{name} {mask.shape} ".encode() + np.packbits(mask).tobytes())
    return _digest(b"".join(parts))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_LENGTH]
