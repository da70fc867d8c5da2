"""The findings in the report: their tables, and what stands beside their zoomed pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bonescan.measurement import Measurement
from bonescan.reading.model import Author, Kind, Verdict
from bonescan.report.conclusion import nature_words
from bonescan.report.figures import decimals, measured, short, two_digits
from bonescan.report.language import Language
from bonescan.scan import ViewName

__all__ = [
    "CROPPED_FINDINGS",
    "bone_table",
    "crop_alt",
    "crop_caption",
    "crops_section",
    "ended",
    "normal_table",
    "other_table",
    "sorted_out",
    "style_of_record",
]

CROPPED_FINDINGS = 24
"""Bone findings that are zoomed, in order of significance: more would fill pages that nobody reads."""

_LARGEST_DEPTH_SPREAD_MM = 50
"""[D] A quarter of a trunk's 200 mm: more tells a reader nothing of where the finding lies."""
_LETTERS_OF_ABSENT = 4


def sorted_out(record: Mapping[str, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Sort the findings of a reading as the report tells them.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.

    Returns
    -------
    bone, normal, other : list of mapping
        Those of bone; of bone that is likelier normal; physiologic uptake and artefacts.
    """
    bone = [finding for finding in record["findings"] if finding["kind"] == Kind.BONE]
    return (
        [finding for finding in bone if not finding.get("likely_normal")],
        [finding for finding in bone if finding.get("likely_normal")],
        [finding for finding in record["findings"] if finding["kind"] != Kind.BONE],
    )


def style_of_record(finding: Mapping[str, Any]) -> str:
    """Say how a finding is drawn, as `bonescan.report.pictures.style_of` does of the finding itself.

    Parameters
    ----------
    finding : mapping

    Returns
    -------
    str
    """
    if finding.get("likely_normal"):
        return "normal"
    if finding.get("likely_benign"):
        return "benign"
    return str(finding["polarity"] if finding["kind"] == Kind.BONE else finding["kind"])


def bone_table(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return the table of bone findings.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.
    tongue : Language

    Returns
    -------
    dict
        ``heading``, ``columns``, ``rows`` of cells, ``notes``, and what is said where there is ``none``.
    """
    w = tongue.words["findings"]
    findings = sorted_out(record)[0]
    natured = any(finding.get("natures") for finding in findings)
    nature = ("nature",) if natured else ()
    cells = ("mark", "place", *nature, "uptake", "significance", "area", "depth", "mass", "counted", "reason")
    rows, reference = _table(findings, cells, tongue)
    notes = [w["units"].format(reference=reference)] if findings else []
    notes += [w["nature_note"]] if natured else []
    notes += [w["doubtful_size"]] if findings and _size_is_doubtful(record) else []
    notes += _absent(findings, "depth_mm", w["absent_depth"], tongue)
    vague = [finding["letter"] for finding in findings if _is_vague(finding)]
    if vague:
        letters = _which(vague, len(findings), tongue)
        notes.append(w["vague_depth"].format(limit=_LARGEST_DEPTH_SPREAD_MM, letters=letters))
    notes += _absent(findings, "likelihood", w["absent_likelihood"], tongue)
    notes += _revised(findings, tongue)
    return {
        "heading": w["bone_heading"],
        "columns": w["columns_nature" if natured else "columns_bone"],
        "natured": natured,
        "rows": rows,
        "none": w["bone_none"],
        "notes": notes,
    }


def normal_table(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return the table of bone whose uptake is likelier normal than not.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    dict
        As of `bone_table`.
    """
    w = tongue.words["findings"]
    findings = sorted_out(record)[1]
    cells = ("mark", "place", "nature", "uptake", "significance", "area", "reason")
    rows, reference = _table(findings, cells, tongue)
    return {
        "heading": w["normal_heading"],
        "columns": w["columns_normal"],
        "natured": True,
        "rows": rows,
        "none": w["normal_none"],
        "notes": [w["normal_note"], w["units_other"].format(reference=reference), *_revised(findings, tongue)]
        if findings
        else [],
    }


def other_table(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return the table of physiologic uptake and artefacts.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    dict
        As of `bone_table`.
    """
    w = tongue.words["findings"]
    findings = sorted_out(record)[2]
    rows, reference = _table(findings, ("mark", "place", "uptake", "significance", "area", "reason"), tongue)
    return {
        "heading": w["other_heading"],
        "columns": w["columns_other"],
        "natured": False,
        "rows": rows,
        "none": w["other_none"],
        "notes": [w["units_other"].format(reference=reference), *_revised(findings, tongue)] if findings else [],
    }


def _table(
    findings: Sequence[Mapping[str, Any]], cells: Sequence[str], tongue: Language
) -> tuple[list[dict[str, Any]], str]:
    references = {finding["uptake_reference"] for finding in findings}
    one = len(references) == 1
    rows = []
    for finding in findings:
        row = _row(finding, tongue, one_reference=one)
        rows.append({"style": style_of_record(finding), "cells": [row[cell] for cell in cells]})
    reference = tongue.phrase(next(iter(references))) if one else str(tongue.words["findings"]["reference_own"])
    return rows, reference


def _row(finding: Mapping[str, Any], tongue: Language, *, one_reference: bool) -> dict[str, str]:
    """Return the cells of a finding's row by name."""
    w = tongue.words["findings"]
    views = finding["views"]
    areas = [two_digits(views[view]["area_mm2"] / 100, tongue) if view in views else "–" for view in ViewName]
    what = w[finding["polarity"] if finding["kind"] == Kind.BONE else finding["kind"]]
    reason = w["what"].format(what=what)
    if finding["reason"]:
        reason += tongue.words["space"] + ended(tongue.say(finding["reason"]), tongue)
    if finding["likelihood"] is not None and not finding.get("natures"):
        likely = Measurement(
            value=finding["likelihood"], uncertainty=finding["likelihood_uncertainty"], unit="1", method=""
        )
        reason += tongue.words["space"] + w["likelihood"].format(value=measured(likely, tongue))
    ratio = f"{two_digits(finding['uptake_ratio'], tongue)} ×"
    spread = finding["depth_uncertainty"]
    return {
        "mark": finding["letter"],
        "place": tongue.place(finding["place"]),
        "nature": nature_words(finding.get("natures", {}), tongue, certain=_by_physician(finding, "judged_by")),
        "uptake": ratio if one_reference else f"{ratio} {tongue.phrase(finding['uptake_reference'])}",
        "significance": two_digits(finding["significance"], tongue),
        "area": " / ".join(areas),
        "depth": "–"
        if finding["depth_mm"] is None or _is_vague(finding)
        else f"{finding['depth_mm']:.0f}" + (f" ± {spread:.0f}" if spread is not None else ""),
        "mass": decimals(finding["mass_share_percent"], 2, tongue),
        "counted": w["yes"] if finding["in_burden"] else w["no"],
        "reason": reason,
    }


def ended(text: str, tongue: Language) -> str:
    """Make a sentence of a text: a capital first, a full stop last.

    Parameters
    ----------
    text : str
    tongue : Language

    Returns
    -------
    str
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "。")) else tongue.words["stop"])


def _is_vague(finding: Mapping[str, Any]) -> bool:
    """Whether the spread of a depth leaves open if the finding lies in front or behind."""
    return finding["depth_mm"] is not None and (finding["depth_uncertainty"] or 0) > _LARGEST_DEPTH_SPREAD_MM


def _size_is_doubtful(record: Mapping[str, Any]) -> bool:
    """Whether the pixel size was checked and found wanting; an unknown one is told of under the pictures."""
    return any(
        check["code"] == "quality.pixel_size" and check["verdict"] in (Verdict.WARN, Verdict.WITHHOLD)
        for check in record["quality"]["checks"]
    )


def _absent(findings: Sequence[Mapping[str, Any]], name: str, form: str, tongue: Language) -> list[str]:
    """Say once for every reason which findings lack a figure because of it, or how many where they are many."""
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        if finding[name] is None:
            reasons.setdefault(finding[f"{name.removesuffix('_mm')}_absent_reason"], []).append(finding["letter"])

    return [
        form.format(reason=tongue.say(reason), letters=_which(letters, len(findings), tongue))
        for reason, letters in reasons.items()
    ]


def _revised(findings: Sequence[Mapping[str, Any]], tongue: Language) -> list[str]:
    """Say which findings a physician has outlined, and which judged."""
    w, notes = tongue.words["findings"], []
    for name, form in (("drawn_by", w["drawn_note"]), ("judged_by", w["judged_note"])):
        letters = [finding["letter"] for finding in findings if _by_physician(finding, name)]
        if letters:
            notes.append(form.format(letters=tongue.words["joint"].join(letters)))
    return notes


def _by_physician(finding: Mapping[str, Any], name: str) -> bool:
    """Whether a physician drew or judged a finding; readings of before 1.4.0 do not say and were the reader's."""
    return bool(finding.get(name) == Author.PHYSICIAN)


def _which(letters: Sequence[str], total: int, tongue: Language) -> str:
    w = tongue.words["findings"]
    if len(letters) == total:
        return str(w["all"])
    if len(letters) <= _LETTERS_OF_ABSENT:
        return str(tongue.words["joint"].join(letters))
    return str(w["several"].format(count=len(letters), total=total))


def crops_section(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return what stands above the zoomed findings.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    dict
    """
    w = tongue.words["crops"]
    bone = sorted_out(record)[0]
    notes = [w["note"]]
    if any(finding.get("evidence") for finding in bone):
        notes.append(tongue.words["findings"]["evidence_note"])
    if len(bone) > CROPPED_FINDINGS:
        notes.append(w["limited"].format(shown=CROPPED_FINDINGS, total=len(bone)))
    return {"heading": w["heading"], "notes": notes}


def crop_caption(view: str, window: tuple[float, float], tongue: Language, *, seen: bool) -> str:
    """Return what stands under one zoomed square.

    Parameters
    ----------
    view : str
        Its name.
    window : (lower, upper)
        Counts that are drawn white and black.
    tongue : Language
    seen : bool
        Whether the finding is outlined in this view.

    Returns
    -------
    str
    """
    w = tongue.words
    lower, upper = (short(edge, tongue) for edge in window)
    return str(
        w["crops"]["caption" if seen else "caption_unseen"].format(view=w["views"][view], lower=lower, upper=upper)
    )


def crop_alt(view: str, finding: Mapping[str, Any], tongue: Language) -> str:
    """Return the text that stands for one zoomed square where it cannot be seen.

    Parameters
    ----------
    view : str
    finding : mapping
    tongue : Language

    Returns
    -------
    str
    """
    w = tongue.words
    place = tongue.place(finding["place"])
    return str(w["crops"]["alt"].format(view=w["views"][view], letter=finding["letter"], place=place))
