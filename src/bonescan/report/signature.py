"""When something counts as signed by a physician: one rule for the report and the patient's leaflet."""

from __future__ import annotations

from datetime import date, datetime

from bonescan.errors import InvalidValue
from bonescan.reading.signing import Amends, Signature, is_a_name

__all__ = ["Amends", "Signature", "is_a_name", "refuse_before_the_scan"]


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
