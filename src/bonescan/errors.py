"""The errors bonescan raises, one tree.

::

    BoneScanError
    ├── UnreadableInput      (ValueError)   bytes that cannot be decoded: truncated, corrupt, wrong format
    ├── NotABoneScan         (ValueError)   a readable object, but not planar bone scintigraphy
    ├── InvalidValue         (ValueError)   a value outside its stated range, caught at construction
    ├── GeometryMismatch     (ValueError)   arrays or grids that do not belong together
    ├── LabellingFailed      (RuntimeError) the skeleton could not be fitted to the views
    ├── OutputFailed         (OSError)      results that could not be written
    ├── QuotaExceeded        (OSError)      the archive's quota, or its disk, is full
    └── ArchiveUnavailable   (OSError)      the archive's database or disk does not answer

Every message says what, where, expected, got and what to do next, in one
sentence a technologist understands. It never holds a patient identifier.
"""

from __future__ import annotations

__all__ = [
    "ArchiveUnavailable",
    "BoneScanError",
    "GeometryMismatch",
    "InvalidValue",
    "LabellingFailed",
    "NotABoneScan",
    "OutputFailed",
    "QuotaExceeded",
    "UnreadableInput",
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


class InvalidValue(BoneScanError, ValueError):
    """A value lies outside its stated range."""


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
