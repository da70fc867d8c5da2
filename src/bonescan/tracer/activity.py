"""The administered activity: what a guideline proposes for a person.

Every rule is a row of ``data/administered_activity.csv`` with its source and how certain the row is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue
from bonescan.scan import Remark, Severity
from bonescan.tracer.radiopharmaceuticals import RADIOPHARMACEUTICALS, radiopharmaceutical

__all__ = [
    "ADULT_FROM_YEARS",
    "GUIDELINES",
    "OBESE_FROM_BMI",
    "Prescription",
    "dosage_card_factor",
    "prescribe",
    "require_range",
]

GUIDELINES = ("EANM", "SNMMI", "label", "SmPC")
"""Whose rule proposes the activity; ``label`` is the manufacturer's in the United States, ``SmPC`` in Europe."""

ADULT_FROM_YEARS = 18
"""Age from which the adult ranges hold [D]: the guidelines say child and adult without a birthday."""

OBESE_FROM_BMI = 30.0
"""Body mass index from which a fixed adult activity grows with body mass, see `prescribe`."""

_STEP_MBQ = 5.0
_ASSUMED_HEIGHT_CM = 170.0
_ADULT_WITHOUT_AGE_KG = 50.0
_BMI = (8.0, 90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """The activity a guideline proposes for one person.

    Parameters
    ----------
    activity_mbq : float
        To be injected.
    low_mbq, high_mbq : float
        What the guideline allows this person; both the activity itself where it names a single value.
    guideline : str
        One of `GUIDELINES`.
    rule : str
        How the activity follows, one sentence.
    source, certainty : str
        Where the rule stands; ``"V"`` read there, ``"M"`` recalled.
    remarks : tuple of Remark
        Assumptions and warnings.
    """

    activity_mbq: float
    low_mbq: float
    high_mbq: float
    guideline: str
    rule: str
    source: str
    certainty: str
    remarks: tuple[Remark, ...] = ()


def prescribe(
    *,
    mass_kg: float,
    age_years: float | None = None,
    height_cm: float | None = None,
    tracer: str = RADIOPHARMACEUTICALS[0],
    guideline: str = "EANM",
    activity_mbq: float | None = None,
) -> Prescription:
    """Propose the activity to inject.

    Parameters
    ----------
    mass_kg : float
        Body mass, 1 to 350 kg.
    age_years : float, optional
        0 to 120. Without it a person of 50 kg or more is planned as an adult; a lighter one is refused, because
        body mass does not tell a child from a light adult.
    height_cm : float, optional
        30 to 250; decides how much a heavy adult's activity grows.
    tracer : str
        One of `bonescan.tracer.RADIOPHARMACEUTICALS`.
    guideline : str
        One of `GUIDELINES`.
    activity_mbq : float, optional
        The prescriber's own choice; it is kept, with a warning where the guideline says otherwise.

    Returns
    -------
    Prescription

    Raises
    ------
    InvalidValue
        For a value out of range, or where the guideline has no rule for this person and tracer.

    Notes
    -----
    Children by the dosage card: activity = b f(m), at least the card's minimum, with b the baseline activity and f the
    factor of body mass, linear between the card's weights. Rules per kilogram: a m within their limits.

    Adults with a fixed activity A: with a body mass index above 30, A BMI / 30 up to the top of the guideline's range,
    so a heavier body keeps the activity per kilogram that it had at a BMI of 30. This is a design decision [D]: EANM
    2016 gives the range only; 11 to 13 MBq/kg for the markedly obese stood in the SNM guideline of 2003 [M].

    Proposals are rounded to 5 MBq, as EANM's own table is, and then kept within the rule's limits.

    References
    ----------
    Van den Wyngaert T. et al., The EANM practice guidelines for bone scintigraphy, 2016,
    doi:10.1007/s00259-016-3415-4. Gelfand M. J. et al., Pediatric radiopharmaceutical administered doses: 2010 North
    American consensus guidelines, J Nucl Med 2011; 52: 318.

    Examples
    --------
    >>> prescribe(mass_kg=20, age_years=5).activity_mbq
    170.0
    >>> prescribe(mass_kg=70).activity_mbq
    500.0
    """
    require_range("Body weight", mass_kg, 1, 350, "kg")
    if age_years is not None:
        require_range("Age", age_years, 0, 120, "years")
    if height_cm is not None:
        require_range("Height", height_cm, 30, 250, "cm")
        _check_body(mass_kg, height_cm)
    if guideline not in GUIDELINES:
        raise InvalidValue(f"A guideline is one of {', '.join(GUIDELINES)}, got {guideline!r}.", got=guideline)
    remarks = []
    if age_years is None:
        if mass_kg < _ADULT_WITHOUT_AGE_KG:
            raise InvalidValue(
                f"{mass_kg:g} kg may be a child or a light adult: give the age too.", mass_kg=mass_kg, expected="age"
            )
        remarks.append(
            Remark(
                code="plan.age.assumed",
                text="The age was not given: planned as an adult. Below 18 years the activity differs: give the age.",
                severity=Severity.WARNING,
            )
        )
    else:
        remarks += _unusual_body(mass_kg, age_years)
    child = age_years is not None and age_years < ADULT_FROM_YEARS
    row = _rule(guideline, tracer, "child" if child else "adult")
    least, most = float(row["least_mbq"] or 0), float(row["most_mbq"] or math.inf)
    proposed, rule = _by_mass(row, mass_kg)
    low, high = _range(row, tracer, mass_kg)
    if row["rule"] == "fixed" and activity_mbq is None:
        proposed, rule, grown = _with_girth(proposed, high, rule, mass_kg, height_cm)
        remarks += grown
    activity = min(max(_rounded(proposed), least), most)
    low, high = (activity, activity) if math.isnan(low) else (max(low, least), min(max(high, least), most))
    if activity_mbq is not None:
        require_range("Activity", activity_mbq, 1, 2000, "MBq")
        if not low <= activity_mbq <= high:
            allowed = f"{low:.0f} MBq" if low == high else f"{low:.0f} to {high:.0f} MBq"
            excess = f": {activity_mbq / high:.1f} times as much" if activity_mbq > high else ""
            remarks.append(
                Remark(
                    code="plan.activity.outside",
                    text=f"{activity_mbq:g} MBq is not what {_whose(guideline)} says for this person "
                    f"({allowed}){excess}.",
                    severity=Severity.WARNING,
                )
            )
        activity, rule = activity_mbq, "chosen by the prescriber"
    return Prescription(
        activity_mbq=activity,
        low_mbq=low,
        high_mbq=high,
        guideline=guideline,
        rule=rule,
        source=row["source"],
        certainty=row["certainty"],
        remarks=tuple(remarks),
    )


def dosage_card_factor(mass_kg: float) -> float:
    """Return the factor of the EANM dosage card, class B, for a body mass.

    Parameters
    ----------
    mass_kg : float
        Below 3 kg the factor is that of 3 kg, above 68 kg that of 68 kg, where the card ends [D].

    Returns
    -------
    float
        1.00 to 14.00; linear between the card's weights [D].

    References
    ----------
    EANM dosage card; its factors as printed in the European label of oxidronate (HPRA, 2020).
    """
    card = _card()
    if mass_kg <= card[0][0]:
        return card[0][1]
    for (lower, factor), (upper, next_factor) in pairwise(card):
        if mass_kg <= upper:
            return factor + (next_factor - factor) * (mass_kg - lower) / (upper - lower)
    return card[-1][1]


def require_range(what: str, value: float, low: float, high: float, unit: str) -> None:
    """Refuse a number outside its range, or one that is none.

    Parameters
    ----------
    what : str
        What it is, as the sentence begins.
    value, low, high : float
    unit : str

    Raises
    ------
    InvalidValue
        With one sentence that says all of these.
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidValue(f"{what} is {low:g} to {high:g} {unit}, got {value:.10g}.", got=value, expected=(low, high))


def _check_body(mass_kg: float, height_cm: float) -> None:
    index = _body_mass_index(mass_kg, height_cm)
    if not _BMI[0] <= index <= _BMI[1]:
        raise InvalidValue(
            f"{mass_kg:g} kg at {height_cm:g} cm is a body mass index of {index:.0f}: check that the weight is in kg "
            "and the height in cm.",
            mass_kg=mass_kg,
            height_cm=height_cm,
        )


def _unusual_body(mass_kg: float, age_years: float) -> list[Remark]:
    """Doubt a weight that few people of that age have: a slip of the key, or pounds; the envelope is ours [D]."""
    age = min(age_years, ADULT_FROM_YEARS)
    low, high = 1.5 + 1.4 * age, 15 + 9 * age
    if mass_kg >= low and (mass_kg <= high or age == ADULT_FROM_YEARS):
        return []
    return [
        Remark(
            code="plan.body.unusual",
            text=f"{mass_kg:g} kg is unusual at {age_years:g} years: check the weight (in kg) and the age.",
            severity=Severity.WARNING,
        )
    ]


def _body_mass_index(mass_kg: float, height_cm: float) -> float:
    return mass_kg / (height_cm / 100) ** 2


def _whose(guideline: str) -> str:
    return {"label": "the label", "SmPC": "the European label"}.get(guideline, guideline)


def _rounded(activity_mbq: float) -> float:
    return math.floor(activity_mbq / _STEP_MBQ + 0.5) * _STEP_MBQ


def _by_mass(row: dict[str, str], mass_kg: float) -> tuple[float, str]:
    """Return what a rule proposes, in MBq, and the rule in words."""
    proposed = float(row["proposed"])
    bounds = "".join(f", at {name} {row[f'{name}_mbq']} MBq" for name in ("least", "most") if row[f"{name}_mbq"])
    if row["rule"] == "card":
        factor = dosage_card_factor(mass_kg)
        return proposed * factor, f"{proposed:g} MBq × {factor:.2f} (dosage card){bounds}"
    if row["rule"] == "per_kg":
        return proposed * mass_kg, f"{proposed:g} MBq/kg × {mass_kg:g} kg{bounds}"
    return proposed, f"{proposed:g} MBq for an adult"


def _range(row: dict[str, str], tracer: str, mass_kg: float) -> tuple[float, float]:
    """Return low and high in MBq, both NaN where a guideline names a single value."""
    if row["low"]:
        scale = mass_kg if row["rule"] == "per_kg" else 1
        return float(row["low"]) * scale, float(row["high"]) * scale
    limit = radiopharmaceutical(tracer).limit("adult_activity", row["guideline"]) if row["group"] == "adult" else None
    if limit is None or limit.low is None or limit.high is None:
        return math.nan, math.nan
    return limit.low, limit.high


def _with_girth(
    activity: float, high: float, rule: str, mass_kg: float, height_cm: float | None
) -> tuple[float, str, list[Remark]]:
    """Let a fixed adult activity grow with a body mass index above `OBESE_FROM_BMI`."""
    index = _body_mass_index(mass_kg, height_cm or _ASSUMED_HEIGHT_CM)
    if index <= OBESE_FROM_BMI or math.isnan(high):  # without a top of the range nothing would end the growth
        return activity, rule, []
    grown = min(activity * index / OBESE_FROM_BMI, high)
    assumed = "" if height_cm else f", at an assumed height of {_ASSUMED_HEIGHT_CM:g} cm"
    remark = Remark(
        code="plan.activity.obesity",
        text=f"Raised for a body mass index of {index:.0f}{assumed}, by this project's own rule, within the "
        f"guideline's range{': its top; scan longer' if grown == high else ''}.",
    )
    return grown, f"{rule} × {index:.1f} / {OBESE_FROM_BMI:g} (body mass index)", [remark]


def _rule(guideline: str, tracer: str, group: str) -> dict[str, str]:
    names = (tracer, radiopharmaceutical(tracer).nuclide.name)
    known = [row for row in _rules() if row["tracer"] in names and row["group"] == group]
    for row in known:
        if row["guideline"] == guideline:
            return row
    others = " or ".join(dict.fromkeys(row["guideline"] for row in known))
    raise InvalidValue(
        f"No rule of {_whose(guideline)} for {tracer} in {'a child' if group == 'child' else 'an adult'} is known "
        f"here: choose {others}.",
        guideline=guideline,
        tracer=tracer,
        group=group,
    )


@cache
def _rules() -> tuple[dict[str, str], ...]:
    return tuple(rows("administered_activity", "tracer"))


@cache
def _card() -> tuple[tuple[float, float], ...]:
    return tuple((float(row["mass_kg"]), float(row["factor"])) for row in rows("dosage_card", "tracer"))
