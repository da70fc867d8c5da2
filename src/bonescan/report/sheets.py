"""The two sheets of a plan: one page for the department, as text and as PDF, and the patient's leaflet.

Both are made of one `Plan`, so a time on one is the time on the other.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

from bonescan.measurement import Measurement
from bonescan.report.language import words
from bonescan.report.leaflet import leaflet_file
from bonescan.report.leaflet_before import before_content, two_digits
from bonescan.report.pages import set_pages
from bonescan.scan import Severity
from bonescan.tracer.plan import Plan
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical
from bonescan.tracer.syringe import SYRINGE_RESIDUAL_PERCENT

__all__ = ["SHEET_NAMES", "department_content", "plan_record", "plan_sheet", "plan_sheets", "sheet_text"]

SHEET_NAMES = (
    "plan_department.pdf",
    "plan_department.txt",
    "plan_patient.html",
    "plan_patient.pdf",
    "plan_patient.txt",
)
"""Every file that `plan_sheets` makes."""

_WIDTH = 92
_LABEL = 24
_READINGS_MIN = (30, 15, 0, -15, -30)


def plan_sheets(plan: Plan, language: str = "en") -> dict[str, bytes]:
    """Set the department's sheet as text and as PDF, and the patient's leaflet.

    Parameters
    ----------
    plan : Plan
    language : str
        Of the leaflet, one of `bonescan.report.leaflet.leaflet_languages`.

    Returns
    -------
    dict of str to bytes
        By name, as in `SHEET_NAMES`. The same plan gives the same bytes; the PDFs are dated with the injection.

    Raises
    ------
    InvalidValue
        When there is no leaflet in this language.
    """
    return {name: plan_sheet(plan, name, language) for name in SHEET_NAMES}


def plan_sheet(plan: Plan, name: str, language: str = "en") -> bytes:
    """Set one of the sheets, and no other.

    Parameters
    ----------
    plan : Plan
    name : str
        One of `SHEET_NAMES`.
    language : str
        Of the leaflet.

    Returns
    -------
    bytes

    Raises
    ------
    InvalidValue
        When there is no leaflet in this language.
    """
    whose, _, form = name.rpartition(".")
    if whose == "plan_patient":
        return leaflet_file(before_content(plan, language), form, plan.appointment.inject_at)
    content = department_content(plan)
    if form == "txt":
        return sheet_text(content).encode("utf-8")
    source = resources.files("bonescan.report").joinpath("plan_department.typ").read_bytes()
    return set_pages({"main.typ": source}, content, plan.appointment.inject_at)


@cache
def _words() -> Mapping[str, Any]:
    text = resources.files("bonescan.report").joinpath("plan_department.en.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def department_content(plan: Plan) -> dict[str, Any]:
    """Return every text of the department's sheet, as JSON values without markup.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        ``title``, ``cards``, ``warnings``, sections of rows on the ``left`` and the ``right``, ``record``, ``checks``,
        ``sources`` and ``banner``.
    """
    w, banner = _words(), words()["banner"]
    checks = list(w["checks"]["text"])
    if plan.referral.may_be_pregnant:
        checks[1:1] = [w["checks"]["pregnancy"], w["checks"]["feeding"]]
    return {
        "language": words()["language"],
        "title": w["title"],
        "subtitle": w["subtitle"].format(date=plan.appointment.inject_at.strftime(w["day"])),
        "label": w["label"],
        "warnings": {
            "heading": w["warnings"],
            "text": [remark.text for remark in plan.remarks if remark.severity is not Severity.NOTE],
        },
        "cards": _cards(plan),
        "left": [_person(plan), _activity(plan), _dose(plan)],
        "right": [_syringe(plan), _times(plan)],
        "record": {
            "heading": w["record"]["heading"],
            "fields": [
                [w["record"][key], form]
                for key, form in (
                    ("full", "MBq at"), ("empty", "MBq at"), ("injected", "MBq at"),
                    ("site", ""), ("by", ""), ("incidents", ""),
                )
            ],
        },
        "checks": {"heading": w["checks"]["heading"], "text": checks},
        "sources": {"heading": w["sources"], "text": _sources(plan)},
        "banner": banner,
    }  # fmt: skip


def sheet_text(content: Mapping[str, Any]) -> str:
    """Write the department's sheet as plain text.

    Parameters
    ----------
    content : mapping
        Of `department_content`.

    Returns
    -------
    str
        Lines of at most 92 characters.
    """
    lines = [f"{content['title']} - {content['subtitle']}", f"{content['label']}: {'_' * 40}", ""]
    warnings = content["warnings"]
    if warnings["text"]:
        lines += [warnings["heading"].upper(), *(line for text in warnings["text"] for line in _bullet(text, "!")), ""]
    for card in content["cards"]:
        lines.append(f"{card['label']:<11}{card['value']:<11} {card['note']}")
    for section in chain(content["left"], content["right"]):
        lines += _section_text(section)
        if "reading" in section:
            shown = ", ".join(f"{time} {value}" for time, value in section["reading"]["rows"])
            lines += _row(section["reading"]["heading"], shown)
    lines += ["", content["checks"]["heading"].upper()]
    lines += [line for text in content["checks"]["text"] for line in _bullet(text, "[ ]")]
    lines += ["", content["record"]["heading"].upper()]
    lines += [
        f"{name:<18}{'_' * 14}" + (f" {form} {'_' * 8}" if form else "") for name, form in content["record"]["fields"]
    ]
    lines += [*_section_text(content["sources"]), "", *textwrap.wrap(content["banner"], _WIDTH)]
    return "\n".join(lines).strip() + "\n"


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return a plan as values for JSON, units in the names.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        Times are ISO 8601 without a zone: the clock of the place.
    """
    vial, syringe = plan.vial, plan.syringe
    return {
        "schema": "bonescan-plan/1",
        "radiopharmaceutical": plan.radiopharmaceutical,
        "referral": _plain(asdict(plan.referral)),
        "prescription": _plain({key: value for key, value in asdict(plan.prescription).items() if key != "remarks"}),
        "vial": None if vial is None else _plain(asdict(vial)),
        "syringe": None
        if syringe is None
        else _plain({key: value for key, value in asdict(syringe).items() if key != "remarks"})
        | {"residual_percent": plan.residual_percent},
        "appointment": _plain(asdict(plan.appointment)),
        "dose": {
            name: None if measured is None else _plain(asdict(measured))
            for name, measured in (
                ("effective_msv", plan.effective_msv),
                ("background_days", plan.background_days),
                ("bladder_wall_mgy", plan.bladder_mgy),
                ("uterus_mgy", plan.uterus_mgy),
            )
        },
        "previous_percent": plan.previous_percent,
        "remarks": [
            {"code": remark.code, "severity": str(remark.severity), "text": remark.text} for remark in plan.remarks
        ],
    }


def _plain(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    return values.isoformat(sep=" ", timespec="minutes") if isinstance(values, datetime) else values


def _cards(plan: Plan) -> list[dict[str, str]]:
    w = _words()["cards"]
    times, given, syringe = plan.appointment, plan.prescription, plan.syringe
    clock = _words()["clock"]
    drawn = [w["no_vial"], w["no_vial_note"]]
    if syringe is not None:
        drawn = [
            w["draw_value"].format(ml=f"{syringe.volume_ml:.2f}"),
            w["draw_note"].format(concentration=f"{syringe.vial_mbq_per_ml:.0f}", time=_clock(times.inject_at, times)),
        ]
    rows = [
        (
            w["activity"],
            w["activity_value"].format(mbq=f"{given.activity_mbq:.0f}"),
            w["activity_note"].format(
                tracer=plan.radiopharmaceutical,
                guideline=w["label_guideline"] if given.guideline == "label" else given.guideline,
                range=_range(plan),
            ),
        ),
        (w["draw"], *drawn),
        (
            w["inject"],
            _clock(times.inject_at, times),
            w["inject_note"].format(date=times.inject_at.strftime(_words()["day"])),
        ),
        (
            w["image"],
            times.image_at.strftime(clock),
            w["image_note"].format(
                day=_clock(times.image_at, times).removesuffix(times.image_at.strftime(clock)),
                start=times.image_from.strftime(clock),
                end=times.image_until.strftime(clock),
            ),
        ),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in rows]


def _range(plan: Plan) -> str:
    w, given = _words()["cards"], plan.prescription
    form = w["single"] if given.low_mbq == given.high_mbq else w["range"]
    return str(form.format(low=f"{given.low_mbq:.0f}", high=f"{given.high_mbq:.0f}"))


def _person(plan: Plan) -> dict[str, Any]:
    w, referral = _words()["person"], plan.referral
    rows = [[w["mass"], f"{referral.mass_kg:g} kg"]]
    if referral.height_cm is not None:
        index = referral.mass_kg / (referral.height_cm / 100) ** 2
        rows.append([w["height"], w["height_value"].format(cm=f"{referral.height_cm:g}", index=f"{index:.0f}")])
    age = w["unknown"] if referral.age_years is None else w["years"].format(age=f"{referral.age_years:g}")
    rows.append([w["age"], age])
    rows.append([w["sex"], w[referral.sex] if referral.sex else w["unknown"]])
    states = [w[state] for state in ("pregnant", "breastfeeding", "dialysis") if getattr(referral, state)]
    rows.append([w["states"], ", ".join(states) or w["nothing"]])
    return {"heading": w["heading"], "rows": rows}


def _activity(plan: Plan) -> dict[str, Any]:
    w, given = _words()["activity"], plan.prescription
    rows = [
        [w["rule"], given.rule],
        [w["range"], _range(plan)],
        [w["source"], given.source],
        [w["certainty"], w[given.certainty]],
        *([w["notes"], remark.text] for remark in plan.remarks if remark.severity is Severity.NOTE),
    ]
    return {"heading": w["heading"], "rows": rows}


def _syringe(plan: Plan) -> dict[str, Any]:
    w, times = _words()["syringe"], plan.appointment
    syringe, vial = plan.syringe, plan.vial
    low, median, high = (f"{percent:.0f}" for percent in SYRINGE_RESIDUAL_PERCENT)
    expected = w["residual_open"].format(low=low, median=median, high=high)
    if syringe is None or vial is None:
        return {"heading": w["heading"], "rows": [[w["draw"], w["none"]], [w["residual"], expected]]}
    at = _clock(times.inject_at, times)
    if plan.residual_percent:
        expected = w["residual_allowed"].format(
            percent=f"{plan.residual_percent:g}",
            mbq=f"{syringe.residual_mbq:.0f}",
            net=f"{plan.prescription.activity_mbq:.0f}",
        )
    return {
        "heading": w["heading"],
        "rows": [
            [
                w["vial"],
                w["vial_value"].format(
                    mbq=f"{vial.activity_mbq:g}", ml=f"{vial.volume_ml:g}", time=_clock(vial.calibrated_at, times)
                ),
            ],
            [
                w["held"],
                w["held_value"].format(mbq=f"{syringe.vial_mbq:.0f}", concentration=f"{syringe.vial_mbq_per_ml:.0f}"),
            ],
            [
                w["draw"],
                w["draw_value"].format(ml=f"{syringe.volume_ml:.2f}", mbq=f"{syringe.activity_mbq:.0f}", time=at),
            ],
            [w["residual"], expected],
            [
                w["left"],
                w["left_value"].format(mbq=f"{syringe.left_mbq:.0f}", ml=f"{syringe.left_ml:.2f}", time=at),
            ],
        ],
        "reading": {
            "heading": w["reading"],
            "rows": [
                [
                    (times.inject_at - timedelta(minutes=minutes)).strftime("%H:%M"),
                    f"{syringe.reading_mbq(minutes):.0f} MBq",
                ]
                for minutes in _READINGS_MIN
            ],
        },
    }


def _times(plan: Plan) -> dict[str, Any]:
    w, times = _words()["times"], plan.appointment
    if times.drink_ml:
        drink = w["drink_value"].format(ml=times.drink_ml)
    else:
        drink = w["drink_dialysis" if plan.referral.dialysis else "drink_child"]
    at = {
        name: _clock(getattr(times, name), times)
        for name in ("inject_at", "image_from", "image_at", "image_until", "leave_at", "contact_until", "tenth_at")
    }
    rows = [
        [w["inject"], at["inject_at"]],
        [w["drink"], drink],
        [w["void"], w["void_value"].format(time=at["image_at"])],
        [w["image"], w["image_value"].format(time=at["image_at"], start=at["image_from"], end=at["image_until"])],
        [
            w["leave"],
            w["leave_value"].format(
                time=at["leave_at"],
                mbq=f"{times.left_mbq['at_leaving']:.0f}",
                rate=f"{times.dose_rate_usv_per_h:.1f}",
            ),
        ],
    ]
    if times.dialysis_from is not None and times.dialysis_until is not None:
        start, end = (_clock(time, times) for time in (times.dialysis_from, times.dialysis_until))
        rows.insert(3, [w["dialysis"], w["dialysis_value"].format(start=start, end=end)])
    if times.feed_from is not None:
        by = w["feed_by"][radiopharmaceutical(plan.radiopharmaceutical).nuclide.name]
        rows.append([w["feed"], w["feed_value"].format(time=_clock(times.feed_from, times), by=by)])
    rows.append([w["contact"], w["contact_value"].format(time=at["contact_until"])])
    rows.append(
        [
            w["little"],
            w["little_value"].format(
                tenth=at["tenth_at"], exempt=f"{times.exempt_mbq:g}", exempt_at=_clock(times.exempt_at, times)
            ),
        ]
    )
    return {"heading": w["heading"], "rows": rows}


def _dose(plan: Plan) -> dict[str, Any]:
    w = _words()["dose"]
    rows = [
        [
            w["effective"],
            _measured(w["effective_value"], plan.effective_msv, 1, days=two_digits(plan.background_days)),
        ],
        [w["bladder"], _measured(w["bladder_value"], plan.bladder_mgy, 0, interval=f"{plan.voiding_interval_h:g}")],
    ]
    if plan.uterus_mgy is not None:
        rows.append([w["uterus"], _measured(w["uterus_value"], plan.uterus_mgy, 1)])
    if plan.referral.previous is not None and plan.previous_percent is not None:
        percent = f"{plan.previous_percent:.1f}" if plan.previous_percent >= 0.1 else "<0.1"
        rows.append([w["previous"], w["previous_value"].format(tracer=plan.referral.previous.tracer, percent=percent)])
    return {"heading": w["heading"], "rows": rows}


def _measured(form: str, measured: Measurement, digits: int, **more: str) -> str:
    """Fill a measured value into its sentence, or say why it is absent."""
    if measured.value is None:
        return str(_words()["dose"]["absent"].format(reason=measured.absent_reason))
    return form.format(value=f"{measured.value:.{digits}f}", **more)


def _sources(plan: Plan) -> list[str]:
    w = _words()["dose"]
    measured = [(w["source"], plan.effective_msv.source), (w["background_source"], plan.background_days.source)]
    return [*plan.appointment.sources, *(form.format(source=source) for form, source in measured if source)]


def _clock(when: datetime, times: Any) -> str:
    """Return the clock time, with the date where it is another day than the injection."""
    w = _words()
    return when.strftime(w["clock"] if when.date() == times.inject_at.date() else w["later_clock"])


def _section_text(section: Mapping[str, Any]) -> list[str]:
    lines = ["", section["heading"].upper()]
    for label, value in section.get("rows", ()):
        lines += _row(label, value)
    for text in section.get("text", ()):
        lines += textwrap.wrap(text, _WIDTH)
    return lines


def _row(label: str, value: str) -> list[str]:
    return textwrap.wrap(value, _WIDTH, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL)


def _bullet(text: str, sign: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{sign} ", subsequent_indent=" " * (len(sign) + 1))
