"""The errors bonescan raises, one tree.

::

    BoneScanError
    ├── UnreadableInput      (ValueError)   bytes that cannot be decoded: truncated, corrupt, wrong format
    ├── NotABoneScan         (ValueError)   a readable object, but not planar bone scintigraphy
    │   └── SlicesAlone                     SPECT without a planar view: nothing is wrong, and nothing is read
    ├── InvalidValue         (ValueError)   a value outside its stated range, caught at construction
    │   └── UnknownSetting                  a name in a settings file that is none
    ├── GeometryMismatch     (ValueError)   arrays or grids that do not belong together
    ├── LabellingFailed      (RuntimeError) the skeleton could not be fitted to the views
    ├── OutputFailed         (OSError)      results that could not be written
    ├── QuotaExceeded        (OSError)      the archive's quota, or its disk, is full
    └── ArchiveUnavailable   (OSError)      the archive's database or disk does not answer

Every message says what, where, expected, got and what to do next, in one
sentence a technologist understands. It never holds a patient identifier.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ArchiveUnavailable",
    "BoneScanError",
    "GeometryMismatch",
    "InvalidValue",
    "LabellingFailed",
    "NotABoneScan",
    "OutputFailed",
    "QuotaExceeded",
    "SlicesAlone",
    "UnknownSetting",
    "UnreadableInput",
    "place_of",
]


class BoneScanError(Exception):
    """Anything bonescan refuses to do, with the facts of the refusal as ``facts``.

    Parameters
    ----------
    message : str
        One sentence: what, where, expected, got, next step.
    **facts : object
        The same facts for machines, e.g. ``expected="NM", got="CT"``.
    """

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


class UnreadableInput(BoneScanError, ValueError):
    """The bytes cannot be decoded as any input bonescan reads."""


class NotABoneScan(BoneScanError, ValueError):
    """The input was decoded but is not planar bone scintigraphy."""


class SlicesAlone(NotABoneScan):
    """Every object holds SPECT projections or reconstructed slices: sound, but no planar view that could be read."""


class InvalidValue(BoneScanError, ValueError):
    """A value lies outside its stated range."""


class UnknownSetting(InvalidValue):
    """A settings file names a table or a value that there is not; the nearest that there is stands in the sentence.

    Parameters
    ----------
    name : str
        As it was written.
    where : str
        Table it stands in, such as ``[http]``; empty for the file itself.
    known : iterable of str
        Names that there are.
    """

    def __init__(self, name: str, where: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches

        names = list(known)
        near = get_close_matches(name, names, n=1)
        meant = f", perhaps {near[0]} is meant" if near else ""
        place = f"in {where}" if where else "at the top of the settings"
        super().__init__(f"There is no setting {name} {place}{meant}; there are {', '.join(names)}.", got=name)


class GeometryMismatch(BoneScanError, ValueError):
    """Arrays or grids that were given together do not belong together."""


class LabellingFailed(BoneScanError, RuntimeError):
    """The skeleton could not be fitted to the views."""


class OutputFailed(BoneScanError, OSError):
    """Results could not be written."""


class QuotaExceeded(BoneScanError, OSError):
    """The archive takes no more: its quota or its disk is full."""


class ArchiveUnavailable(BoneScanError, OSError):
    """The archive's database or disk does not answer; what was acknowledged is safe."""


def place_of(error: BaseException) -> str:
    """Where an error happened that nobody foresaw: all of it that can be told, for its words may quote a patient.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        Its type, and file and line of its innermost place.

    Examples
    --------
    >>> place_of(KeyError("Doe^Jane"))
    'KeyError'
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    kind = type(error).__name__
    return kind if trace is None else f"{kind} at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
