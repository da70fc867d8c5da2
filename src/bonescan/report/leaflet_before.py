"""The leaflet before a bone scan: what it is and why, this person's own times, the small dose, what to do later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bonescan.measurement import Measurement
from bonescan.report.leaflet import leaflet_words, plain_date, plain_time, section
from bonescan.tracer.plan import Plan

__all__ = ["before_content", "two_digits"]

_GLASS_ML, _LITRE_ML = 200, 1000
_DAYS_OF_A_MONTH = 30.44
_DAYS_OF_SOME_MONTHS = 60


def before_content(plan: Plan, language: str = "en") -> dict[str, Any]:
    """Return every text of the leaflet before the scan, as JSON values without markup.

    Parameters
    ----------
    plan : Plan
    language : str

    Returns
    -------
    dict
        ``title``, ``subtitle``, ``blocks`` in the order they are read, and what stands around them.

    Raises
    ------
    InvalidValue
        When there is no such language.
    """
    words = leaflet_words(language)
    w, referral = words["before"], plan.referral
    blocks = [section(w["pregnant"], w["pregnant"]["text"], important=True)] if referral.pregnant else []
    if referral.is_child:
        blocks.append(section(w["child"], w["child"]["text"], important=True))
    blocks += [section(w["what"], w["what"]["text"]), _times(plan, words), _tell(plan, w)]
    times = plan.appointment
    if times.feed_from is not None:
        until = plain_time(times.feed_from, times.inject_at, words)
        blocks.append(section(w["feeding"], w["feeding"]["text"].format(time=until), important=True))
    blocks.append(section(w["drink"], *_drinking(plan, w["drink"])))
    blocks.append(section(w["camera"], w["camera"]["text"]))
    blocks.append(section(w["why"], w["why"]["text"]))
    blocks.append(section(w["dose"], *_dose(plan, words)))
    contact = plain_time(times.contact_until, times.inject_at, words)
    advice = (text.format(contact=contact) for text in w["after"]["child" if referral.is_child else "text"])
    blocks.append(section(w["after"], points=tuple(advice)))
    blocks.append(section(w["result"], w["result"]["text"]))
    blocks.append({"kind": "glossary", "heading": words["glossary"]["heading"], "terms": words["glossary"]["before"]})
    blocks.append(section(words["disclaimer"], words["disclaimer"]["before"]))
    return {
        "language": words["language"],
        "wide_letters": not words["space"],
        "colon": words["colon"],
        "title": w["title"],
        "subtitle": plain_date(times.inject_at, words),
        "label": words["label"],
        "name": "",
        "signed": "",
        "blocks": blocks,
        "by_hand": words["by_hand"],
        "questions": words["questions"],
        "banner": words["banner"],
    }


def _times(plan: Plan, words: Mapping[str, Any]) -> dict[str, Any]:
    w, times, referral = words["before"]["times"], plan.appointment, plan.referral
    start = times.inject_at
    inject, image, leave = (plain_time(when, start, words) for when in (start, times.image_at, times.leave_at))
    waiting = w["between"] if referral.dialysis else words["space"].join((w["between"], w["drinking"]))
    return {
        "kind": "times",
        "heading": words["before"]["pregnant"]["times"] if referral.pregnant else w["heading"],
        "rows": [
            [inject, w["inject"], "inject"],
            [w["until"].format(start=inject, end=image), waiting, "wait"],
            [image, w["image"], "image"],
            [w["about"].format(time=leave), w["leave"], "leave"],
        ],
    }


def _tell(plan: Plan, w: Mapping[str, Any]) -> dict[str, Any]:
    tell = w["tell"]
    asked = [tell["pregnant_maybe"], tell["feeding"]] if plan.referral.may_be_pregnant else []
    asleep = [tell["asleep"]] if plan.referral.is_child else []
    return section(tell, tell["usual"], *asleep, points=(*asked, *tell["other"]))


def _drinking(plan: Plan, w: Mapping[str, Any]) -> list[str]:
    if plan.referral.dialysis:
        return [w["dialysis"]]
    if plan.appointment.drink_ml is None:
        return [w["child"], w["limit"]]
    glasses = math.ceil(plan.appointment.drink_ml / _GLASS_ML)
    litres = w["litre"] if plan.appointment.drink_ml >= _LITRE_ML else w["half"]
    return [w["amount"].format(litres=litres, glasses=glasses), w["limit"]]


def _dose(plan: Plan, words: Mapping[str, Any]) -> list[str]:
    w, times = words["before"]["dose"], plan.appointment

    def of_hundred(mbq: float) -> str:
        percent = 100 * mbq / plan.prescription.activity_mbq
        return str(w["less"] if percent < 1 else w["about"].format(parts=f"{percent:.0f}"))

    days = plan.background_days.value
    told = [w["unknown"]] if days is None else [w["days"].format(days=two_digits(plan.background_days))]
    if days is not None and days > _DAYS_OF_SOME_MONTHS:
        told.append(w["months"].format(months=round(days / _DAYS_OF_A_MONTH)))
    return [
        words["space"].join((w["text"], *told, w["reason"])),
        w["stay_dialysis" if plan.referral.dialysis else "stay"].format(
            leaving=of_hundred(times.left_mbq["at_leaving"]),
            exempt_at=plain_time(times.exempt_at, times.inject_at, words),
            exempt=of_hundred(times.exempt_mbq),
        ),
    ]


def two_digits(measured: Measurement) -> str:
    """Write a measured number with two digits.

    Parameters
    ----------
    measured : Measurement

    Returns
    -------
    str
        Empty where it is absent.
    """
    return "" if measured.value is None else f"{float(f'{measured.value:.2g}'):g}"
