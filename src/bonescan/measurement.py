"""A reported number with its unit, uncertainty, method and source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bonescan.errors import InvalidValue

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number as it is reported, or the reason why it is absent.

    Parameters
    ----------
    value : float or None
        The number; ``None`` when it could not be measured, never zero instead.
    unit : str
        UCUM unit, e.g. ``"%"``, ``"mm2"``, ``"{counts}"``, ``"1"``.
    uncertainty : float or None
        One standard deviation in the same unit; ``None`` when unknown.
    method : str
        What was computed, short enough for a report's table.
    source : str
        Table, paper (DOI) or guideline the method rests on; may be empty.
    absent_reason : str
        Why ``value`` is ``None``; empty otherwise.

    Raises
    ------
    InvalidValue
        For a value that is not finite, a negative uncertainty, an absent
        value without a reason, or a present value with one.
    """

    value: float | None
    unit: str
    uncertainty: float | None = None
    method: str
    source: str = ""
    absent_reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.absent_reason):
            raise InvalidValue(
                f"A measurement is either a value or a reason why it is absent; got {self.value!r} "
                f"and {self.absent_reason!r}.",
                method=self.method,
            )
        if self.value is not None and not math.isfinite(self.value):
            raise InvalidValue(f"{self.method}: the value must be finite, got {self.value}.", method=self.method)
        if self.uncertainty is not None and not 0 <= self.uncertainty < math.inf:
            raise InvalidValue(
                f"{self.method}: an uncertainty is a finite number of at least 0, got {self.uncertainty}.",
                method=self.method,
            )
