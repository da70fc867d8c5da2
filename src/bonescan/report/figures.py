"""Numbers and names as a page shows them: measurements with their uncertainty, tracers, text without hidden letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bonescan.measurement import Measurement
from bonescan.report.language import Language, language

__all__ = ["HIDDEN", "cleaned", "decimals", "measured", "rounded", "short", "signed", "tracer_name", "two_digits"]

_TELLING_UNCERTAINTY = 0.01
# DICOM writes the mass number raised: "Technetium Tc^99m^ medronate", earlier "^99m^Technetium".
_NUCLIDES = (
    (re.compile(r"(?:\b[A-Z][a-z]+ )?\b([A-Z][a-z]?)\s*\^(\d+m?)\^"), r"\1-\2"),
    (re.compile(r"\^(\d+m?)\^\s*([A-Za-z]+)"), r"\2-\1"),
    (re.compile(r"\b(?:Technetium )?Tc[\s-]?99m\b|\b99m[\s-]?Tc\b", re.IGNORECASE), "Tc-99m"),
)
HIDDEN = dict.fromkeys((*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), " ")
"""For `str.translate`: control and bidirectional override characters, which are never shown."""


def measured(measurement: Measurement, tongue: Language | None = None) -> str:
    """Write a measurement for a table: value, one standard deviation and unit, or why it is absent.

    Parameters
    ----------
    measurement : Measurement
    tongue : Language, optional
        English where none is given.

    Returns
    -------
    str
        Such as ``1.8 ± 0.3 %``, or ``not given: `` and the reason. The
        uncertainty has one digit, or two where the first is 1, and the value
        ends at the same place. A number of counts goes without when it is
        below a hundredth: its last digits would only look exact.
    """
    tongue = tongue or language("en")
    w = tongue.words
    value, spread = measurement.value, measurement.uncertainty
    if value is None:
        return f"{w['not_given']}{w['colon']}{tongue.say(measurement.absent_reason)}"
    unit = w["units"].get(measurement.unit, measurement.unit)
    sure = measurement.unit == "{counts}" and spread is not None and spread < _TELLING_UNCERTAINTY * abs(value)
    if spread is None or spread == 0 or sure:
        return f"{short(value, tongue)} {unit}".rstrip()
    mantissa, exponent = f"{spread:.1e}".split("e")
    places = (1 if mantissa.startswith("1") else 0) - int(exponent)
    return f"{rounded(value, places, tongue)} ± {rounded(spread, places, tongue)} {unit}".rstrip()


def rounded(value: float, places: int, tongue: Language) -> str:
    """Write a number with fixed decimals, negative ones for whole tens and hundreds, its thousands apart.

    Parameters
    ----------
    value : float
    places : int
    tongue : Language

    Returns
    -------
    str
    """
    text = f"{round(value, places):,.{max(places, 0)}f}".replace(",", "\u202f")
    return text.replace("-", "\u2212").replace(".", tongue.words["decimal"])


def decimals(value: float, places: int, tongue: Language) -> str:
    """Write a number with fixed decimals and nothing between its thousands.

    Parameters
    ----------
    value : float
    places : int
    tongue : Language

    Returns
    -------
    str
    """
    return f"{value:.{places}f}".replace(".", tongue.words["decimal"])


def signed(value: float, places: int, tongue: Language) -> str:
    """Write a change with its sign and fixed decimals.

    Parameters
    ----------
    value : float
    places : int
    tongue : Language

    Returns
    -------
    str
    """
    return f"{value:+.{places}f}".replace(".", tongue.words["decimal"])


def two_digits(value: float, tongue: Language) -> str:
    """Write a number so that a column of them reads alike: 0.85, 2.0, 25.

    Parameters
    ----------
    value : float
    tongue : Language

    Returns
    -------
    str
    """
    size = abs(value)
    return rounded(value, 2 if size < 0.995 else 1 if size < 9.95 else 0, tongue)


def short(value: float, tongue: Language, digits: int = 3) -> str:
    """Write a number with few significant digits, from 1000 on as a whole number with its thousands apart.

    Parameters
    ----------
    value : float
    tongue : Language
    digits : int

    Returns
    -------
    str
    """
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    text = f"{float(f'{value:.{digits}g}'):.6f}".rstrip("0").rstrip(".")
    text = (text if text not in ("0", "-0") else f"{value:.0e}").replace("-", "\u2212")
    return text.replace(".", tongue.words["decimal"])


def tracer_name(text: str) -> str:
    """Write a tracer as people do: the mass number behind the element, not DICOM's carets.

    Parameters
    ----------
    text : str
        Such as ``Technetium Tc^99m^ medronate``.

    Returns
    -------
    str

    Examples
    --------
    >>> tracer_name("Technetium Tc^99m^ medronate")
    'Tc-99m medronate'
    >>> tracer_name("^99m^Technetium")
    'Technetium-99m'
    """
    for pattern, written in _NUCLIDES:
        text = pattern.sub(written, text)
    return text


def cleaned(value: Any) -> Any:
    """Drop control and bidirectional override characters from every text, however deep.

    Parameters
    ----------
    value : str, mapping, list or anything else

    Returns
    -------
    object
        The same; a tuple as a list.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").translate(HIDDEN)
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(item) for item in value]
    return value
