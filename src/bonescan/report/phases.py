"""The page on a three-phase study: pictures, ratios, curves and the table, as HTML, PDF and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.three_phase.explanations import Call, Explanation, is_hand_or_foot
from bonescan.reading.three_phase.phases import PhaseFinding, PhaseReading
from bonescan.report.brush import embedded, png
from bonescan.report.figures import cleaned, decimals, measured, tracer_name
from bonescan.report.language import Language, language, wording
from bonescan.report.pages import packaged_fonts, page_template, picture_svg, set_pages
from bonescan.report.phase_pictures import draw_curves, draw_phases
from bonescan.report.record import INTENDED_USE, json_bytes, json_measurement, json_number
from bonescan.scan import DynamicScan, Phase, Scan

__all__ = ["PHASE_SCHEMA_VERSION", "phase_content", "phase_record", "phase_schema", "render_phases"]

PHASE_SCHEMA_VERSION = "1.0.0"
"""Version of phases.json: major for a broken reader, minor for a new field."""

_NEAREST = 2  # rows shown where none fits


def render_phases(reading: PhaseReading, code: str = "en") -> dict[str, bytes]:
    """Turn the reading of a three-phase study into its files.

    Parameters
    ----------
    reading : PhaseReading
    code : str
        Language of the page, one of `bonescan.report.language.report_languages`; the record is English.

    Returns
    -------
    dict of str to bytes
        By name: ``phases.json``, ``phases.html``, ``phases.pdf``, ``phases.png``, ``phases_curves.png`` and
        ``phases_region.png``; without a flow of both sides there is no ``phases_curves.png``, without another
        side no ``phases_region.png``. The same reading gives the same bytes.

    Raises
    ------
    InvalidValue
        When there is no such language.
    """
    tongue = language(code)
    content = phase_content(reading, tongue)
    w = _words(tongue)
    labels = {phase: (w[phase.value]["name"], _when(reading, phase, tongue)) for phase in Phase}
    plate = draw_phases(reading, labels)
    files = {"phases.json": json_bytes(phase_record(reading)), "phases.png": png(plate)}
    pictures = {"plate": embedded(plate)}
    if reading.curves:
        names = [w["curves"]["name"][k].format(side=tongue.place(curve.side)) for k, curve in enumerate(reading.curves)]
        drawn = draw_curves(reading.curves, (w["curves"]["x"], w["curves"]["y"]), names, tongue)
        files["phases_curves.png"] = png(drawn)
        pictures["curves"] = embedded(drawn)
    if reading.region is not None:
        ids = reading.region.mask.astype(np.uint8)
        ids[(reading.region.counterpart > 0.5) & (ids == 0)] = 2
        files["phases_region.png"] = _grey_png(ids)
    files["phases.html"] = page_template("phases.html.j2").render(c=content, pictures=pictures).encode("utf-8")
    files["phases.pdf"] = _pdf(reading, content, pictures)
    return files


def _words(tongue: Language) -> Mapping[str, Any]:
    return wording("phases", tongue.code)


def phase_schema() -> dict[str, Any]:
    """Return the published JSON schema (draft 2020-12) of phases.json.

    Returns
    -------
    dict
    """
    text = resources.files("bonescan.report").joinpath("phases.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def phase_record(reading: PhaseReading) -> dict[str, Any]:
    """Return the reading of a three-phase study as plain JSON values.

    Parameters
    ----------
    reading : PhaseReading

    Returns
    -------
    dict
        Valid against `phase_schema`; holds no NaN and no infinity.
    """
    study, field, region = reading.study, reading.field, reading.region
    first = study.first
    return {
        "schema_version": PHASE_SCHEMA_VERSION,
        "intended_use": INTENDED_USE,
        "study": {
            "study_uid": first.study_uid,
            "study_description": first.study_description,
            "body_part": study.body_part,
            "patient": {"name": first.patient.name, "patient_id": first.patient.patient_id, "sex": first.patient.sex},
            "injection": {
                "radiopharmaceutical": first.injection.radiopharmaceutical,
                "activity_mbq": json_number(first.injection.activity_mbq),
                "injected_at": first.injection.injected_at.isoformat() if first.injection.injected_at else None,
            },
            "phases": {phase.value: _acquired(reading, phase) for phase in Phase},
            "with_whole_body_scan": study.whole_body is not None,
        },
        "grid": {
            "rows": field.body.shape[0],
            "columns": field.body.shape[1],
            "pixel_mm": json_number(field.pixel_mm),
            "views": [name.value for name in field.views],
        },
        "told_side": reading.told_side or None,
        "region": None
        if region is None
        else {
            "side": region.side,
            "found_in": region.found_in.value if region.found_in else None,
            "significance": json_number(region.significance),
            "area_mm2": json_number(region.area_mm2),
        },
        "findings": [
            {
                "phase": finding.phase.value,
                "call": finding.call.value if finding.call else None,
                "probabilities": {
                    call.value: json_number(share) for call, share in finding.judgement.probabilities.items()
                }
                if finding.judgement
                else {},
                "ratio": json_measurement(finding.ratio),
                "rest_ratio": json_measurement(finding.rest_ratio),
                "extent": json_measurement(finding.extent_mm),
                "limit": json_number(finding.limit),
                "text": finding.text,
            }
            for finding in reading.findings
        ],
        "joints_ratio": json_measurement(reading.joints_ratio),
        "curves": [
            {
                "side": curve.side,
                "middles_s": _numbers(curve.middles_s),
                "durations_s": _numbers(curve.durations_s),
                "rate_cps": _numbers(curve.rate_cps),
                "uncertainty_cps": _numbers(curve.uncertainty_cps),
                "arrival": json_measurement(curve.arrival_s),
                "slope": json_measurement(curve.slope_cps_per_s),
            }
            for curve in reading.curves
        ],
        "arrival_difference": json_measurement(reading.arrival_difference_s),
        "slope_ratio": json_measurement(reading.slope_ratio),
        "explanations": [
            {
                "code": one.code,
                "name": one.name,
                "agreement": json_number(one.agreement),
                "fits": one.fits,
                "side": one.side or None,
                "evidence_for": list(one.evidence_for),
                "evidence_against": list(one.evidence_against),
                "cannot_tell": list(one.cannot_tell),
                "advice": list(one.advice),
                "source": one.source,
            }
            for one in reading.explanations
        ],
        "sentences": list(reading.sentences),
        "advice": list(reading.advice),
        "checks": [
            {
                "code": check.code,
                "question": check.question,
                "verdict": check.verdict.value,
                "measured": json_measurement(check.measured),
                "text": check.text,
            }
            for check in reading.checks
        ],
        "remarks": [
            {"code": remark.code, "text": remark.text, "severity": remark.severity.value} for remark in reading.remarks
        ],
        "method": dict(reading.method),
        "versions": dict(reading.versions),
    }


def phase_content(reading: PhaseReading, tongue: Language) -> dict[str, Any]:
    """Return every text and table of the page, as JSON values without any markup.

    Parameters
    ----------
    reading : PhaseReading
    tongue : Language

    Returns
    -------
    dict
        Whoever sets a text into a page escapes it.
    """
    w, whole = _words(tongue), tongue.words
    study = reading.study
    first = study.first
    examined = first.acquired_at.strftime("%Y-%m-%d %H:%M") if first.acquired_at else whole["not_stated"]
    phases = [phase for phase in Phase if study.of(phase) is not None]
    fitting = [one for one in reading.explanations if one.fits]
    shown = fitting or list(reading.explanations[:_NEAREST])
    views = reading.field.views
    content: dict[str, Any] = cleaned(
        {
            "language": whole["language"],
            "wide_letters": not whole["space"],
            "colon": whole["colon"],
            "title": w["title"],
            "banner": whole["banner"],
            "page": whole["page"],
            "font_note": whole["font_note"],
            "footer": whole["footer"].format(patient_id=first.patient.patient_id or whole["not_stated"], date=examined),
            "patient": [list(row) for row in zip(w["patient_rows"], _patient(reading, examined, tongue), strict=True)],
            "summary": {
                "heading": w["summary"],
                "sentences": [
                    *map(tongue.say, reading.sentences),
                    w["told"].format(side=tongue.place(reading.told_side)) if reading.told_side else w["untold"],
                ],
            },
            "plate": {
                "heading": w["plate"]["heading"],
                "caption": w["plate"]["caption"].format(
                    views=w["plate"]["added"]
                    if len(views) > 1
                    else w["plate"]["one"].format(view=whole["views_within"][views[0].value])
                ),
                "alt": w["plate"]["alt"].format(
                    phases=whole["joint"].join(tongue.phrase(phase.value) for phase in phases)
                ),
            },
            "ratios": {
                "heading": w["ratios"]["heading"],
                "columns": w["ratios"]["columns"],
                "rows": [_ratio_row(finding, tongue) for finding in reading.findings],
                "notes": [
                    w["ratios"]["note"],
                    w["ratios"]["limits"],
                    *(
                        [w["ratios"]["joints"].format(ratio=measured(reading.joints_ratio, tongue))]
                        if reading.joints_ratio.value is not None and is_hand_or_foot(study.body_part)
                        else []
                    ),
                ],
            },
            "curves": _curve_content(reading, tongue),
            "table": {
                "heading": w["table"]["heading"],
                "note": w["table"]["note"]
                if fitting or not shown
                else whole["space"].join([w["table"]["fits_none"], w["table"]["note"]]),
                "rows": [_explained(one, tongue) for one in shown],
                "others_heading": w["table"]["others"],
                "others": whole["clause_joint"].join(
                    w["table"]["other"].format(name=tongue.phrase(one.name), percent=round(100 * one.agreement))
                    for one in reading.explanations
                    if one not in shown
                ),
                **{key: w["table"][key] for key in ("for", "against", "cannot", "source")},
            },
            "next": {
                "heading": w["next"]["heading"],
                "text": [tongue.say(one) for one in reading.advice],
                "none": w["next"]["none"],
            },
            "quality": {
                "heading": w["quality"]["heading"],
                "columns": w["quality"]["columns"],
                "rows": [
                    {
                        "style": check.verdict.value,
                        "cells": [
                            whole["quality"][check.verdict.value],
                            tongue.say(check.question),
                            tongue.say(check.text),
                        ],
                    }
                    for check in reading.checks
                ],
            },
            "remarks": {
                "heading": w["remarks"]["heading"],
                "none": w["remarks"]["none"],
                "rows": [tongue.say(remark.text) for remark in reading.remarks],
            },
            "method": {
                "heading": w["method"]["heading"],
                "rows": [
                    *([w["method"]["of"].get(key, key), tongue.say(text)] for key, text in reading.method.items()),
                    [
                        w["method"]["versions"],
                        whole["joint"].join(f"{name} {own}" for name, own in reading.versions.items()),
                    ],
                    *(
                        [w["method"]["sources"], f"{source.file_name} (SHA-256 {source.sha256})"]
                        for phase in phases
                        for source in _scan(reading, phase).sources
                    ),
                ],
            },
            "limits": {"heading": w["limits"]["heading"], "text": w["limits"]["text"]},
        }
    )
    return content


def _scan(reading: PhaseReading, phase: Phase) -> DynamicScan | Scan:
    scan = reading.study.of(phase)
    assert scan is not None
    return scan


def _patient(reading: PhaseReading, examined: str, tongue: Language) -> list[str]:
    first, absent = reading.study.first, tongue.words["not_stated"]
    injection = first.injection
    told = [
        tracer_name(injection.radiopharmaceutical or ""),
        f"{injection.activity_mbq:.0f} MBq" if injection.activity_mbq is not None else "",
    ]
    rows = [
        ", ".join(part for part in (first.patient.name or "").split("^", 1) if part).replace("^", " "),
        first.patient.patient_id,
        examined,
        first.study_description,
        tongue.phrase((reading.study.body_part or "").lower()),
        tongue.words["fact_joint"].join(part for part in told if part),
        injection.injected_at.strftime("%Y-%m-%d %H:%M") if injection.injected_at else "",
        " ".join(part for part in (first.device.manufacturer, first.device.model) if part),
    ]
    return [row or absent for row in rows]


def _when(reading: PhaseReading, phase: Phase, tongue: Language) -> str:
    """How a phase was acquired, or why it is absent."""
    scan, form = reading.study.of(phase), _words(tongue)[phase.value]["when"]
    if scan is None:
        return tongue.say(reading.study.absent[phase])
    if isinstance(scan, DynamicScan):
        return str(form.format(frames=len(scan.starts_s), seconds=round(sum(scan.durations_s))))
    delay, seconds = scan.delay_h, scan.views[0].duration_s
    if delay is None or seconds is None:
        return ""
    return str(form.format(minutes=round(60 * delay), hours=decimals(delay, 1, tongue), seconds=round(seconds)))


def _ratio_row(finding: PhaseFinding, tongue: Language) -> dict[str, Any]:
    w = _words(tongue)
    if finding.judgement is None:
        return {
            "style": "absent",
            "cells": [
                w[finding.phase.value]["name"],
                w["unknown"],
                "–",
                "–",
                "–",
                "–",
                tongue.say(finding.ratio.absent_reason),
            ],
        }
    likely = sorted(finding.judgement.probabilities.items(), key=lambda pair: -pair[1])
    styles = {Call.NORMAL: "normal", Call.DOWN: "down", Call.FOCAL_DOWN: "down"}
    return {
        "style": styles.get(finding.call or Call.NORMAL, "up"),
        "cells": [
            w[finding.phase.value]["name"],
            tongue.phrase(finding.call.value) if finding.call else "",
            measured(finding.ratio, tongue),
            measured(finding.rest_ratio, tongue) if finding.rest_ratio.value is not None else "–",
            measured(finding.extent_mm, tongue) if finding.extent_mm.value is not None else "–",
            decimals(finding.limit, 2, tongue),
            tongue.words["joint"].join(
                f"{tongue.phrase(call.value)} {100 * share:.0f} %" for call, share in likely if share >= 0.005
            ),
        ],
    }


def _curve_content(reading: PhaseReading, tongue: Language) -> dict[str, Any]:
    w = _words(tongue)["curves"]
    rows = [
        [w["arrival"].format(side=tongue.place(curve.side)), measured(curve.arrival_s, tongue)]
        for curve in reading.curves
    ]
    if reading.curves:
        rows += [
            [w["difference"], measured(reading.arrival_difference_s, tongue)],
            [w["slope"], measured(reading.slope_ratio, tongue)],
        ]
    return {"heading": w["heading"], "rows": rows, **{key: w[key] for key in ("none", "caption", "alt")}}


def _explained(one: Explanation, tongue: Language) -> dict[str, Any]:
    w = _words(tongue)["table"]
    parts = [w["agreement"].format(percent=round(100 * one.agreement))]
    if one.side:
        parts.insert(0, w["side"].format(side=tongue.place(one.side)))
    return {
        "name": tongue.phrase(one.name[:1].upper() + one.name[1:]),
        "note": tongue.words["fact_joint"].join(parts),
        "fits": one.fits,
        "for": [tongue.say(text) for text in one.evidence_for],
        "against": [tongue.say(text) for text in one.evidence_against],
        "cannot": [tongue.say(text) for text in one.cannot_tell],
        "source": tongue.say(one.source),
    }


def _acquired(reading: PhaseReading, phase: Phase) -> dict[str, Any]:
    scan = reading.study.of(phase)
    shift = reading.field.shift_mm.get(phase)
    return {
        "acquired_at": scan.acquired_at.isoformat() if scan and scan.acquired_at else None,
        "counts": None if scan is None else json_number(float(reading.field.counts[phase].sum())),
        "moved_mm": None if shift is None else json_number(math.hypot(*shift)),
        "absent_reason": reading.study.absent.get(phase, ""),
        "sources": [
            {"file_name": source.file_name, "sha256": source.sha256} for source in (scan.sources if scan else ())
        ],
    }


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [json_number(float(value)) for value in values]


def _grey_png(ids: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    return png(Image.fromarray(ids))


def _pdf(reading: PhaseReading, content: Mapping[str, Any], pictures: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Set the page as PDF/A-2b and PDF/UA-1."""
    files = {"main.typ": resources.files("bonescan.report").joinpath("phases.typ").read_bytes()}
    for name, picture in pictures.items():
        files[f"{name}.svg"] = picture_svg(picture)
    data = {"content": content, "has_curves": "curves" in pictures}
    fonts = (packaged_fonts(),) if content["wide_letters"] else ()
    return set_pages(files, data, reading.study.first.acquired_at, fonts=fonts)
