"""When something counts as signed by a physician: one rule for the report and the patient's leaflet."""

from __future__ import annotations

from datetime import date, datetime

from bonescan.errors import InvalidValue

__all__ = ["is_a_name", "refuse_before_the_scan"]

_LEAST_LETTERS = 2


def is_a_name(text: str) -> bool:
    """Whether a text can be a physician's name.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
        False for what has fewer than two letters.
    """
    return sum(letter.isalpha() for letter in text) >= _LEAST_LETTERS


def refuse_before_the_scan(what: str, signed_on: date, acquired_at: str | None) -> None:
    """Refuse a signature that is older than the scan.

    Parameters
    ----------
    what : str
        What is signed: ``"result"``, ``"report"``.
    signed_on : date
    acquired_at : str or None
        Of the scan, ISO 8601; where it is not stated nothing is refused.

    Raises
    ------
    InvalidValue
    """
    scanned = datetime.fromisoformat(acquired_at).date() if acquired_at else None
    if scanned is not None and signed_on < scanned:
        raise InvalidValue(
            f"The {what} is signed on {signed_on}, before the scan of {scanned}; check the day.", got=str(signed_on)
        )
