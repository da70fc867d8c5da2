"""Nuclides and bone-seeking radiopharmaceuticals: decay, photons, label limits, dose tables, kinetic constants.

Tables only: reading them needs nothing but the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue

__all__ = [
    "CERTAINTIES",
    "RADIOPHARMACEUTICALS",
    "Constant",
    "Limit",
    "Nuclide",
    "Radiopharmaceutical",
    "radiopharmaceutical",
]

CERTAINTIES = ("V", "V2", "M", "M+C", "C", "D")
"""How sure a number is: read in the source, read in a secondary source, recalled, recalled and consistent with
others that were read, computed, or our own design decision."""

ADULT = 20.0
"""Age in years under which the adult columns of dose tables are filed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One number of a table with where it comes from.

    Parameters
    ----------
    value : float
        Finite.
    unit : str
    source : str
        Publication, label or reasoning.
    certainty : str
        One of `CERTAINTIES`.
    """

    value: float
    unit: str
    source: str
    certainty: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or self.certainty not in CERTAINTIES:
            raise InvalidValue(
                f"A constant is finite with a certainty of {CERTAINTIES}, got {self.value}, {self.certainty!r}.",
                value=self.value,
                certainty=self.certainty,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What one authority allows or advises for one quantity.

    Parameters
    ----------
    quantity : str
        ``"kit_shelf_life"``, ``"adult_activity"``, ``"imaging_time"`` and others of ``data/limits.csv``.
    authority : str
        ``"EANM"``, ``"SNMMI"``, ``"USP"``, ``"label"`` (United States) or ``"SmPC"`` (Europe).
    low, high : float or None
        Ends of the range; ``None`` where there is none.
    unit, source, certainty : str
        As in `Constant`.
    """

    quantity: str
    authority: str
    low: float | None
    high: float | None
    unit: str
    source: str
    certainty: str

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        if not ends or ends != sorted(ends) or ends[0] < 0 or self.certainty not in CERTAINTIES:
            raise InvalidValue(
                f"A limit on {self.quantity} runs from a low to a high end of at least 0, got {self.low}, {self.high}.",
                quantity=self.quantity,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuclide:
    """A radioactive nuclide as a camera and a decay correction need it.

    Parameters
    ----------
    name : str
    half_life_h : float
        Positive.
    photons : tuple of (float, float)
        Energy in keV and photons per decay, most frequent first; X-rays below 15 keV left out.
    source : str
    """

    name: str
    half_life_h: float
    photons: tuple[tuple[float, float], ...]
    source: str

    @property
    def decay_per_h(self) -> float:
        """Decay constant ln 2 / half-life."""
        return math.log(2) / self.half_life_h

    def remaining(self, hours: float) -> float:
        """Share of an activity left after some hours, or its share's inverse growth before (negative hours).

        Parameters
        ----------
        hours : float

        Returns
        -------
        float
            exp(-ln 2 hours / half-life).
        """
        return math.exp(-self.decay_per_h * hours)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Radiopharmaceutical:
    """What is injected, with everything tabulated about it.

    Parameters
    ----------
    name : str
        One of `RADIOPHARMACEUTICALS`.
    inn : str
        International nonproprietary name.
    nuclide : Nuclide
    limits : tuple of Limit
        What labels and guidelines allow; several authorities may differ.
    doses : mapping of str to mapping of float to Constant
        Organ to age in years (1, 5, 10, 15 and 20 for an adult) to absorbed dose in mGy/MBq; ``"effective"`` in
        mSv/MBq; ``"void_interval_h"`` is the voiding interval the doses assume. What was not found is absent.
    constants : mapping of str to Constant
        Of the compartment model in `bonescan.tracer.biokinetics`, for the reference man.
    """

    name: str
    inn: str
    nuclide: Nuclide
    limits: tuple[Limit, ...]
    doses: Mapping[str, Mapping[float, Constant]]
    constants: Mapping[str, Constant]

    def limit(self, quantity: str, authority: str) -> Limit | None:
        """The limit one authority sets.

        Parameters
        ----------
        quantity, authority : str
            As in `Limit`.

        Returns
        -------
        Limit or None
            ``None`` where no such limit was found.
        """
        found = (limit for limit in self.limits if (limit.quantity, limit.authority) == (quantity, authority))
        return next(found, None)

    @property
    def kit_shelf_life_h(self) -> float | None:
        """Hours a labelled kit may be used after its preparation: the shortest that any authority gives, or none."""
        return min(
            (limit.high for limit in self.limits if limit.quantity == "kit_shelf_life" and limit.high), default=None
        )


def _nuclide(name: str) -> Nuclide:
    own = [row for row in rows("nuclides", "tracer") if row["nuclide"] == name]
    photons = sorted(((float(row["energy_kev"]), float(row["yield"])) for row in own), key=lambda photon: -photon[1])
    return Nuclide(
        name=name,
        half_life_h=float(own[0]["half_life_h"]),
        photons=tuple(photons),
        source="; ".join(f"{row['source']} [{row['certainty']}]" for row in own),
    )


def _limits(name: str) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            quantity=row["quantity"],
            authority=row["authority"],
            low=float(row["low"]) if row["low"] else None,
            high=float(row["high"]) if row["high"] else None,
            unit=row["unit"],
            source=row["source"],
            certainty=row["certainty"],
        )
        for row in rows("limits", "tracer")
        if row["radiopharmaceutical"] == name
    )


def _doses(table: str) -> Mapping[str, Mapping[float, Constant]]:
    columns = {"1": 1.0, "5": 5.0, "10": 10.0, "15": 15.0, "adult": ADULT}
    units = {"effective": "mSv/MBq", "void_interval_h": "h"}
    found = {}
    for row in rows("doses", "tracer"):
        if row["dose_table"] == table:
            cells = {age: row[column].split() for column, age in columns.items() if row[column]}
            unit = units.get(row["organ"], "mGy/MBq")
            found[row["organ"]] = MappingProxyType(
                {
                    age: Constant(value=float(value), unit=unit, source=row["source"], certainty=certainty)
                    for age, (value, certainty) in cells.items()
                }
            )
    return MappingProxyType(found)


def _constants(name: str) -> Mapping[str, Constant]:
    return MappingProxyType(
        {
            row["constant"]: Constant(
                value=float(row["value"]), unit=row["unit"], source=row["source"], certainty=row["certainty"]
            )
            for row in rows("kinetics", "tracer")
            if row["radiopharmaceutical"] == name
        }
    )


RADIOPHARMACEUTICALS = tuple(row["name"] for row in rows("radiopharmaceuticals", "tracer"))
"""Names of the radiopharmaceuticals, the usual one first."""


@cache
def radiopharmaceutical(name: str) -> Radiopharmaceutical:
    """A radiopharmaceutical by its name.

    Parameters
    ----------
    name : str
        One of `RADIOPHARMACEUTICALS`.

    Returns
    -------
    Radiopharmaceutical

    Raises
    ------
    InvalidValue
        For a name that is not there.

    Examples
    --------
    >>> mdp = radiopharmaceutical("Tc-99m MDP")
    >>> mdp.nuclide.half_life_h, mdp.kit_shelf_life_h, mdp.doses["effective"][5.0].value
    (6.0067, 6.0, 0.014)
    """
    for row in rows("radiopharmaceuticals", "tracer"):
        if row["name"] == name:
            return Radiopharmaceutical(
                name=name,
                inn=row["inn"],
                nuclide=_nuclide(row["nuclide"]),
                limits=_limits(name),
                doses=_doses(row["dose_table"]),
                constants=_constants(name),
            )
    raise InvalidValue(f"There is a radiopharmaceutical {RADIOPHARMACEUTICALS}, got {name!r}.", got=name)
