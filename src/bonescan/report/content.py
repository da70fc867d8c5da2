"""What the report says, in the order of EANM's report items, as plain text: one content for HTML, PDF and text file.

It is made of what ``reading.json`` holds and of what a physician has written, so that a reading stored long ago can be
reported anew, in another language, with another interpretation, and its measured values stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bonescan.measurement import Measurement
from bonescan.report.conclusion import evidence_lines, impression_section, patterns_section
from bonescan.report.figures import cleaned, decimals, measured, two_digits
from bonescan.report.finding_tables import (
    bone_table,
    crop_alt,
    crop_caption,
    crops_section,
    normal_table,
    other_table,
    sorted_out,
    style_of_record,
)
from bonescan.report.language import Language
from bonescan.report.overview import (
    WORST_FIRST,
    cards,
    counts_metastases,
    examined_at,
    in_a_sentence,
    index_of,
    patient_rows,
    plate_section,
    procedure_rows,
    unjudged,
)
from bonescan.report.physician import ENTRIES, PhysicianText
from bonescan.report.with_prior import comparison_section
from bonescan.scan import Severity

__all__ = ["Shown", "crops_content", "report_content"]


_KEY_FINDINGS = 12
_NOT_KEY = ("stature", "device", "views")
"""Rows of patient and procedure that the one page leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the pictures of a report show.

    Parameters
    ----------
    windows : mapping of str to (lower, upper)
        Counts that are drawn white and black, by view; empty where nobody kept them.
    without_letter : tuple of str
        Letters that found no room beside the pictures.
    cropped : bool
        Whether the pictures leave out empty field.
    regions : tuple of int
        Regions that are tinted.
    """

    windows: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    without_letter: tuple[str, ...] = ()
    cropped: bool = False
    regions: tuple[int, ...] = ()


def report_content(
    record: Mapping[str, Any],
    shown: Shown,
    tongue: Language,
    text: PhysicianText | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return every text, table and caption of the report, as JSON values without any markup.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.
    shown : Shown
    tongue : Language
    text : PhysicianText, optional
        What a physician has written for this study.
    comparison : mapping, optional
        With the scan before, as ``comparison.json`` holds it.

    Returns
    -------
    dict
        Sections in reading order. Text is as given by the file: whoever sets
        it into a page escapes it.
    """
    w = tongue.words
    text = text or PhysicianText(study_uid="")
    patient_id = record["scan"]["patient"]["patient_id"] or w["not_stated"]
    content: dict[str, Any] = cleaned(
        {
            "language": tongue.code,
            "wide_letters": not w["space"],
            "colon": w["colon"],
            "clause_joint": w["clause_joint"],
            "stop": w["stop"] + w["space"],
            "title": w["title"],
            "banner": w["banner"],
            "zoom": w["zoom"],
            "font_note": w["font_note"],
            "page": w["page"],
            "footer": w["footer"].format(patient_id=patient_id, date=examined_at(record, tongue)),
            "status": _status(text, tongue),
            "patient": {"heading": w["patient"]["heading"], "rows": patient_rows(record, tongue)},
            "brief": _brief(record, text, tongue),
            "context": {
                "heading": w["context"]["heading"],
                "rows": _written(text, "context", tongue),
                "none": w["context"]["none_electronic" if text.electronic else "none"],
            },
            "procedure": {
                "heading": w["procedure"]["heading"],
                "rows": [
                    *([label, [said]] for label, said in procedure_rows(record, tongue)),
                    *_written(text, "procedure", tongue),
                ],
            },
            "findings": {"heading": w["findings"]["heading"], "rows": _written(text, "findings", tongue)},
            "comparison": comparison_section(comparison, tongue),
            "summary": {
                "heading": w["summary"]["heading"],
                "sentence": in_a_sentence(record, tongue),
                "removed": _removed(record, tongue),
                "cards": cards(record, tongue),
            },
            "plate": plate_section(record, shown.windows, shown.without_letter, tongue, cropped=shown.cropped),
            "bone": bone_table(record, tongue),
            "normal": normal_table(record, tongue),
            "other": other_table(record, tongue),
            "burden": _burden(record, tongue),
            "interpretation": {
                "heading": w["interpretation"]["heading"],
                "rows": _written(text, "interpretation", tongue),
                "none": w["interpretation"]["none"],
            },
            "impression": impression_section(record, tongue),
            "patterns": patterns_section(record, tongue),
            "limits": {
                "heading": w["limits"]["heading"],
                "general": w["limits"]["general"],
                "text": w["limits"]["text"],
            },
            "quality": _quality(record, tongue),
            "remarks": _remarks(record, tongue),
            "key": _key_page(record, tongue),
            "annex": {"heading": w["annex"]["heading"]},
            "crops": crops_section(record, tongue),
            "regions": _regions(record, shown, tongue),
            "method": {"heading": w["method"]["heading"], "rows": _method(record, tongue)},
            "credits": {
                "heading": w["credits"]["heading"],
                "text": [
                    one.format(version=record["versions"].get("bonescan", "")).strip() for one in w["credits"]["text"]
                ],
            },
        }
    )
    return content


def crops_content(
    record: Mapping[str, Any], crops: Sequence[Mapping[str, Any]], tongue: Language
) -> list[dict[str, Any]]:
    """Return the zoomed findings with what stands beside them.

    Parameters
    ----------
    record : mapping
    crops : sequence of mapping
        Pictures by finding, as `bonescan.report.illustrations.Illustrations` holds them.
    tongue : Language

    Returns
    -------
    list of dict
    """
    findings = {finding["letter"]: finding for finding in record["findings"]}
    told = []
    for crop in crops:
        finding = findings[crop["letter"]]
        squares = [
            {
                **square,
                "alt": crop_alt(square["view"], finding, tongue),
                "caption": crop_caption(
                    square["view"], square["window"], tongue, seen=square["view"] in finding["views"]
                ),
            }
            for square in crop["squares"]
        ]
        told.append(
            {
                "letter": crop["letter"],
                "style": style_of_record(finding),
                "place": tongue.place(finding["place"]),
                "squares": squares,
                "evidence": evidence_lines(finding.get("evidence", ()), tongue),
            }
        )
    texts: list[dict[str, Any]] = cleaned(told)
    return texts


def _key_page(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """What stands beside the pictures where there is one page for all: study, index, the first findings."""
    w = tongue.words["key"]
    bone = sorted_out(record)[0]
    rows = [*patient_rows(record, tongue, without=_NOT_KEY), *procedure_rows(record, tongue, without=_NOT_KEY)]
    told = [
        w["finding"].format(place=tongue.place(finding["place"]), ratio=two_digits(finding["uptake_ratio"], tongue))
        for finding in bone[:_KEY_FINDINGS]
    ]
    more = len(bone) - len(told)
    return {
        "title": w["title"],
        "rows": rows,
        "figures": [[w["findings"], str(len(bone))], [w["burden"], measured(index_of(record), tongue)]],
        "findings": [
            [finding["letter"], style_of_record(finding), said] for finding, said in zip(bone, told, strict=False)
        ],
        "more": w["more"].format(count=more) if more else "",
    }


def _status(text: PhysicianText, tongue: Language) -> dict[str, str]:
    w, amends = tongue.words["status"], text.amends
    if text.signed_at is None:
        return {"style": "draft", "text": w["draft"], "amended": ""}
    form = w["signed"] if not text.electronic else w["electronic"] if amends is None else w["amended_electronic"]
    return {
        "style": "signed",
        "text": form.format(physician=text.physician, time=_moment(text.signed_at)),
        "amended": ""
        if amends is None
        else w["amended"].format(version=amends.version, time=_moment(amends.signed_at), reason=amends.reason),
    }


def _moment(when: datetime) -> str:
    """A time to the minute, with its zone where that is told."""
    zone = when.tzname() if when.tzinfo is not None else None
    return when.strftime("%Y-%m-%d %H:%M") + (f" {zone}" if zone else "")


def _brief(record: Mapping[str, Any], text: PhysicianText, tongue: Language) -> dict[str, Any]:
    """The one thing to read in half a minute: the physician's interpretation, else what the reading proposes."""
    w = tongue.words["brief"]
    own = text.of("interpretation", "text")
    if own:
        rows = _written(text, "interpretation", tongue, of=("recommendation", "urgent"))
        return {"heading": w["physician"], "text": _paragraphs(own), "rows": rows}
    impression = record.get("impression") or {}
    advice = [tongue.say(one) for one in impression.get("advice", ())[:1]]
    return {
        "heading": w["proposed"],
        "text": [tongue.say(one) for one in impression.get("sentences", ())[:1]],
        "rows": [[tongue.words["impression"]["advice"], advice]] if advice else [],
    }


def _removed(record: Mapping[str, Any], tongue: Language) -> str:
    """Say how many of the software's findings a physician has deleted, and where; empty where none was."""
    places = (record.get("revision") or {}).get("removed", ())
    named = str(tongue.words["joint"]).join(dict.fromkeys(tongue.place(place) for place in places))
    return str(tongue.words["findings"]["removed"][min(len(places), 2)].format(count=len(places), places=named))


def _written(text: PhysicianText, section: str, tongue: Language, of: Sequence[str] | None = None) -> list[list[Any]]:
    """What the physician has written for a section, as rows of a label and paragraphs."""
    labels = tongue.words["physician"]["labels"]
    rows = [[labels[entry], _paragraphs(text.of(section, entry))] for entry in of or ENTRIES[section]]
    return [row for row in rows if row[1]]


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _method(record: Mapping[str, Any], tongue: Language) -> list[list[str]]:
    w = tongue.words["method"]
    versions = tongue.words["joint"].join(
        f"{name.replace('_', ' ')} {version}" for name, version in record["versions"].items()
    )
    return [
        *([w["of"].get(key, key.replace("_", " ")), tongue.say(said)] for key, said in record["method"].items()),
        [w["versions"], versions],
        *([w["sources"], f"{one['file_name']} (SHA-256 {one['sha256']})"] for one in record["scan"]["sources"]),
    ]


def _regions(record: Mapping[str, Any], shown: Shown, tongue: Language) -> dict[str, str]:
    from bonescan.anatomy import REGION_NAMES

    w = tongue.words["regions"]
    views = " / ".join(tongue.words["views"][view] for view in record["scan"]["views"])
    names = tongue.words["joint"].join(
        tongue.phrase(REGION_NAMES.get(number, str(number))) for number in shown.regions if number
    )
    return {"heading": w["heading"], "caption": w["caption"], "alt": w["alt"].format(views=views, names=names)}


def _burden(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    w, burden = tongue.words["burden"], record["burden"]
    missing = tongue.words["joint"].join(tongue.phrase(one) for one in burden["not_in_view"])
    return {
        "heading": w["heading"],
        "rows": [
            [w["index"], measured(index_of(record), tongue)],
            [w["table"], tongue.phrase(burden["mass_table"])],
            [w["count"], str(burden["hot_spot_count"])],
            [w["positive"], measured(_figure(burden, "positive_area", "_percent", "%"), tongue)],
            # in square centimetres, the size readers think in
            [w["area"], measured(_figure(burden, "lesion_area", "_mm2", "cm2", 100), tongue)],
            [w["missing"], missing or w["missing_none"]],
        ],
        "by_region": {
            "heading": w["by_region"],
            "columns": [w["region"], w["share"], w["spots"]],
            "rows": [
                [
                    tongue.phrase(one["name"] or str(one["region"])),
                    decimals(one["bone_scan_index_percent"], 2, tongue)
                    if one["bone_scan_index_percent"] >= 0.005
                    else f"< {decimals(0.01, 2, tongue)}",
                    str(one["hot_spot_count"]),
                ]
                for one in burden["by_region"]
            ],
            "none": w["by_region_none"],
        },
        "note": w["judged_note" if counts_metastases(record) else "note"] + unjudged(record, tongue),
    }


def _figure(burden: Mapping[str, Any], stem: str, ending: str, unit: str, over: float = 1) -> Measurement:
    value, spread = burden[stem + ending], burden[f"{stem}_uncertainty"]
    return Measurement(
        value=None if value is None else value / over,
        unit=unit,
        uncertainty=None if spread is None or value is None else spread / over,
        method="",
        absent_reason=burden[f"{stem}_absent_reason"],
    )


def _quality(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    w = tongue.words["quality"]
    checks = sorted(record["quality"]["checks"], key=lambda check: WORST_FIRST[check["verdict"]])
    return {
        "heading": w["heading"],
        "columns": w["columns"],
        "none": w["none"],
        "rows": [
            {
                "style": check["verdict"],
                "cells": [
                    w[check["verdict"]],
                    tongue.say(check["question"]),
                    # why a figure is absent stands in the check's own sentence
                    "–" if check["measured"]["value"] is None else measured(Measurement(**check["measured"]), tongue),
                    tongue.say(check["text"]),
                ],
            }
            for check in checks
        ],
    }


def _remarks(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    w = tongue.words["remarks"]
    order = {Severity.WITHHELD: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return {
        "heading": w["heading"],
        "none": w["none"],
        "rows": [
            {"style": remark["severity"], "cells": [w[remark["severity"]], tongue.say(remark["text"])]}
            for remark in sorted(record["remarks"], key=lambda remark: order[remark["severity"]])
        ],
    }
