"""By whom and when a reading was signed, and which signed one it replaces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bonescan.errors import InvalidValue

__all__ = ["Amends", "Signature", "is_a_name"]

_LEAST_LETTERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Amends:
    """The signed version that an amendment replaces.

    Parameters
    ----------
    version : int
        Its number in the archive.
    signed_at : datetime
    reason : str
        Why it is amended.
    study_uid, series_uid, sop_instance_uid : str
        Of its structured report; empty where it has none.

    Raises
    ------
    InvalidValue
        Without a reason.
    """

    version: int
    signed_at: datetime
    reason: str
    study_uid: str = ""
    series_uid: str = ""
    sop_instance_uid: str = ""

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise InvalidValue("An amendment of a signed report says why; give the reason.", version=self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A physician's signature under a reading.

    Parameters
    ----------
    name : str
    signed_at : datetime
    amends : Amends, optional
        The signed version it replaces, where there is one.

    Raises
    ------
    InvalidValue
        For a name that is none.
    """

    name: str
    signed_at: datetime
    amends: Amends | None = None

    def __post_init__(self) -> None:
        if not is_a_name(self.name):
            raise InvalidValue(f"A report is signed only in the name of a physician, got {self.name!r}.")


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
