"""Absorbed and effective dose of an injection, how voiding changes it, and what it compares to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement
from bonescan.tracer.biokinetics import Physiology, kinetics
from bonescan.tracer.radiopharmaceuticals import Constant, Radiopharmaceutical, radiopharmaceutical

__all__ = [
    "BACKGROUND_MSV_PER_YEAR",
    "ICRP60_WEIGHTS",
    "Dose",
    "absorbed_dose",
    "bladder_residence_h",
    "days_of_background",
    "label_bladder_wall_mgy",
]

BACKGROUND_MSV_PER_YEAR = 2.4
"""Mean effective dose from natural sources in the world, mSv a year, radon included (UNSCEAR 1993 and later)."""

ICRP60_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "gonads": 0.20,
        "red_marrow": 0.12,
        "colon": 0.12,
        "lungs": 0.12,
        "stomach": 0.12,
        "bladder_wall": 0.05,
        "breast": 0.05,
        "liver": 0.05,
        "oesophagus": 0.05,
        "thyroid": 0.05,
        "skin": 0.01,
        "bone_surfaces": 0.01,
        "remainder": 0.05,
    }
)
"""Tissue weights of ICRP Publication 60, which the effective doses of the tables rest on; gonads are the mean of
ovaries and testes. With the weights and phantoms of ICRP 103 effective doses are about 25 % lower (mean of 338 agents,
doi:10.1186/2197-7364-1-9)."""

# Masses of the persons behind the tables' columns, by age; 20 stands for an adult (FDA label, sodium fluoride [V]).
_MASSES_KG = {1.0: 9.7, 5.0: 19.8, 10.0: 33.2, 15.0: 56.8, 20.0: 70.0}
_ADULT_FROM_YEARS = 18.0  # design [D]

# Dose to an organ near the bladder per dose to its wall, both from urine. Ovaries and testes: differences between 2 and
# 4.8 h voiding on the FDA medronate label, (3.4 - 2.4) and (2.2 - 1.6) over (62 - 26) mGy [V]. Uterus: MIRD 11 [M].
_BESIDE_BLADDER = {"ovaries": 1.0 / 36, "testes": 0.6 / 36, "uterus": 0.1}

# The FDA medronate label, after MIRD Pamphlet 11: bladder wall, mGy per 740 MBq, by voiding interval in hours [V].
_LABEL_MGY_PER_740_MBQ = {2.0: 26.0, 4.8: 62.0}

_METHOD = "absorbed dose coefficient of the age times administered activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """Dose of one injection to one person of an age; made by `absorbed_dose`.

    Parameters
    ----------
    radiopharmaceutical : str
    activity_mbq : float
    age_years : float
    voiding_interval_h : float
        The bladder is emptied every so many hours.
    organ_mgy : mapping of str to Measurement
        Absorbed dose by organ, in mGy; absent, with a reason, where the table has no number for the age.
    effective_msv : Measurement
        With the weights of ICRP 60; fluoride's with the older ones of its table.
    """

    radiopharmaceutical: str
    activity_mbq: float
    age_years: float
    voiding_interval_h: float
    organ_mgy: Mapping[str, Measurement]
    effective_msv: Measurement

    @property
    def bladder_wall_mgy(self) -> Measurement:
        """Absorbed dose to the bladder wall, the organ that drinking and voiding spare."""
        return self.organ_mgy["bladder_wall"]


def absorbed_dose(
    radiopharmaceutical: Radiopharmaceutical,
    activity_mbq: float,
    *,
    age_years: float,
    voiding_interval_h: float | None = None,
) -> Dose:
    """Absorbed dose to each organ and effective dose.

    Parameters
    ----------
    radiopharmaceutical : Radiopharmaceutical
    activity_mbq : float
        Administered, at least 0.
    age_years : float
        0 to 120. Below 1 year there is no table: all doses are absent.
    voiding_interval_h : float or None
        0.25 to 24; ``None`` for the interval the tables assume (adults and children from 10 years 3.5 h, below 5 years
        2 h), which gives the tables' own values.

    Returns
    -------
    Dose

    Raises
    ------
    InvalidValue
        For a value outside its range.

    Notes
    -----
    Between the tables' ages (1, 5, 10, 15, adult from 18) an age first becomes the mass m of the reference person,
    linearly, then the coefficient d follows a power of mass between neighbouring columns: ln d is linear in ln m.

    Urine irradiates the bladder wall in proportion to the activity that passes through the bladder, time-integrated.
    With A(T) that integral per injected activity from the kinetics of the reference man voiding every T hours, T_0 the
    tables' interval and d_0 the table's coefficient: ::

        d(T) = d_body + (d_0 - d_body) A(T) / A(T_0)

    d_body, the dose from all but urine, is taken as that of the remaining tissues, or of muscle. So the wall's dose per
    integrated activity, the S value, is anchored at the table. Ovaries, testes and uterus change by a fixed part of
    the wall's change, effective dose by the weighted changes of all but the uterus. The kinetics are the reference
    man's at every age, as those of ICRP are.
    """
    if not 0 <= activity_mbq < math.inf or not 0 <= age_years <= 120:
        raise InvalidValue(
            f"A dose needs at least 0 MBq and an age of 0 to 120 years, got {activity_mbq} and {age_years}.",
            activity_mbq=activity_mbq,
            age_years=age_years,
        )
    tracer, doses = radiopharmaceutical, radiopharmaceutical.doses
    mass_kg = _reference_mass_kg(age_years)
    assumed_h = _assumed_interval_h(doses["void_interval_h"], mass_kg)
    interval_h = assumed_h if voiding_interval_h is None else voiding_interval_h
    per_mbq = {
        organ: _coefficient(row, mass_kg) if age_years >= 1 else None
        for organ, row in doses.items()
        if organ != "void_interval_h"
    }
    if interval_h != assumed_h:
        stretch = bladder_residence_h(tracer, interval_h) / bladder_residence_h(tracer, assumed_h)
        per_mbq |= _voided_otherwise(per_mbq, stretch)
    reported = {
        organ: _measured(value, activity_mbq, doses[organ], "mSv" if organ == "effective" else "mGy", age_years)
        for organ, value in per_mbq.items()
    }
    return Dose(
        radiopharmaceutical=tracer.name,
        activity_mbq=activity_mbq,
        age_years=age_years,
        voiding_interval_h=interval_h,
        effective_msv=reported.pop("effective"),
        organ_mgy=MappingProxyType(reported),
    )


def _reference_mass_kg(age_years: float) -> float:
    """Mass of the reference person of an age; that of a year below one."""
    *children, adult = _MASSES_KG
    return float(np.interp(age_years, [*children, _ADULT_FROM_YEARS], [_MASSES_KG[age] for age in (*children, adult)]))


def _columns(row: Mapping[float, Constant]) -> tuple[list[float], list[float]]:
    """Masses and values of a row of a dose table, lightest first."""
    return [_MASSES_KG[age] for age in sorted(row)], [row[age].value for age in sorted(row)]


def _coefficient(row: Mapping[float, Constant], mass_kg: float) -> float | None:
    """A row of a dose table for one mass, as a power of mass between columns; nothing beyond the columns it has."""
    masses, values = _columns(row)
    if not masses[0] <= mass_kg <= masses[-1]:
        return None
    return math.exp(float(np.interp(math.log(mass_kg), np.log(masses), np.log(values))))


def _assumed_interval_h(row: Mapping[float, Constant], mass_kg: float) -> float:
    """Voiding interval behind a dose table for one mass."""
    return float(np.interp(mass_kg, *_columns(row)))


def _voided_otherwise(per_mbq: Mapping[str, float | None], stretch: float) -> dict[str, float | None]:
    """Coefficients that change when the bladder's integrated activity is `stretch` times what the table assumes."""
    wall = per_mbq["bladder_wall"]
    body = per_mbq.get("remainder", per_mbq.get("muscle"))
    if wall is None:
        return {}
    change = (wall - (body or 0.0)) * (stretch - 1)
    changes = {"bladder_wall": change}
    changes |= {organ: change * share for organ, share in _BESIDE_BLADDER.items() if per_mbq.get(organ) is not None}
    gonads = (changes.get("ovaries", 0.0) + changes.get("testes", 0.0)) / 2
    changes["effective"] = ICRP60_WEIGHTS["bladder_wall"] * change + ICRP60_WEIGHTS["gonads"] * gonads
    found = {organ: per_mbq[organ] for organ in changes}
    return {organ: value + changes[organ] for organ, value in found.items() if value is not None}


def _measured(
    per_mbq: float | None, activity_mbq: float, row: Mapping[float, Constant], unit: str, age_years: float
) -> Measurement:
    if per_mbq is None:
        known = ", ".join("adult" if age == max(_MASSES_KG) else f"{age:g}" for age in sorted(row))
        return Measurement(
            value=None,
            unit=unit,
            method=_METHOD,
            absent_reason=f"the dose table gives no number at an age of {age_years:g} (its ages: {known})",
        )
    certainties = "/".join(sorted({constant.certainty for constant in row.values()}))
    sources = "; ".join(dict.fromkeys(constant.source for constant in row.values()))
    return Measurement(value=per_mbq * activity_mbq, unit=unit, method=_METHOD, source=f"{sources} [{certainties}]")


@cache
def bladder_residence_h(radiopharmaceutical: Radiopharmaceutical, voiding_interval_h: float) -> float:
    """Time-integrated activity in the bladder per injected activity, for the reference man voiding at even intervals.

    Parameters
    ----------
    radiopharmaceutical : Radiopharmaceutical
    voiding_interval_h : float
        0.25 to 24, from the injection on.

    Returns
    -------
    float
        In hours (MBq h per MBq), over three days.

    Raises
    ------
    InvalidValue
        For an interval outside its range.
    """
    if not 0.25 <= voiding_interval_h <= 24:
        raise InvalidValue(
            f"A bladder is emptied every 0.25 to 24 hours, got {voiding_interval_h}.", got=voiding_interval_h
        )
    until_h = 72.0
    voids = tuple(np.arange(voiding_interval_h, until_h, voiding_interval_h).tolist())
    return kinetics(radiopharmaceutical, Physiology(voids_h=voids)).residence_h(until_h)["bladder"]


def label_bladder_wall_mgy(activity_mbq: float, voiding_interval_h: float) -> Measurement:
    """Dose to an adult's bladder wall from Tc-99m MDP on the scale of its American label.

    Parameters
    ----------
    activity_mbq : float
    voiding_interval_h : float
        0.25 to 24.

    Returns
    -------
    Measurement
        In mGy.

    Notes
    -----
    The label gives 26 and 62 mGy per 740 MBq for voiding every 2 and 4.8 h. One S value s is fitted to both with the
    kinetics' integrated activity A(T) of the bladder (the mean of both in the logarithm); the dose is s A(T) times
    activity.
    A single s cannot change the ratio of two intervals: that is the kinetics' own. The label's doses are about a
    quarter above those of ICRP, which `absorbed_dose` uses.
    """
    mdp = radiopharmaceutical("Tc-99m MDP")
    ratios = [mgy / 740 / bladder_residence_h(mdp, hours) for hours, mgy in _LABEL_MGY_PER_740_MBQ.items()]
    s_value = math.sqrt(math.prod(ratios))
    return Measurement(
        value=s_value * bladder_residence_h(mdp, voiding_interval_h) * activity_mbq,
        unit="mGy",
        method=f"time-integrated bladder activity times {s_value:.4f} mGy/(MBq h), fitted to the label",
        source="FDA medronate label after MIRD Pamphlet 11 [V]",
    )


def days_of_background(effective_msv: float, background_msv_per_year: float = BACKGROUND_MSV_PER_YEAR) -> Measurement:
    """How many days of natural background give the same effective dose.

    Parameters
    ----------
    effective_msv : float
        At least 0.
    background_msv_per_year : float
        Positive; the mean of the world unless a country's own is given.

    Returns
    -------
    Measurement
        In days.

    Raises
    ------
    InvalidValue
        For a negative dose or a background that is not positive.

    Examples
    --------
    >>> round(days_of_background(2.85).value)
    434
    """
    if not (0 <= effective_msv < math.inf and 0 < background_msv_per_year < math.inf):
        raise InvalidValue(
            f"Background days need a dose of at least 0 and a positive background, got {effective_msv} mSv and "
            f"{background_msv_per_year} mSv a year.",
            effective_msv=effective_msv,
            background_msv_per_year=background_msv_per_year,
        )
    worldwide = background_msv_per_year == BACKGROUND_MSV_PER_YEAR
    return Measurement(
        value=effective_msv / background_msv_per_year * 365.25,
        unit="d",
        method=f"effective dose over a natural background of {background_msv_per_year:g} mSv a year",
        source="UNSCEAR, mean of the world, most people 1 to 13 mSv" if worldwide else "background given by the user",
    )
