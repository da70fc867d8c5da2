"""What the report says, page by page, as plain text: one content for HTML and PDF, so the two never drift apart."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from bonescan.measurement import Measurement
from bonescan.reading.model import Finding, Kind, Polarity, QualityCheck, Reading, Verdict
from bonescan.report.conclusion import (
    evidence_lines,
    familiarity_card,
    impression_section,
    nature_words,
    patterns_section,
)
from bonescan.report.pictures import Window, style_of
from bonescan.scan import Severity, ViewName

__all__ = [
    "CROPPED_FINDINGS",
    "cleaned",
    "crop_alt",
    "crop_caption",
    "crop_evidence",
    "measured",
    "report_content",
    "tracer_name",
    "words",
]

CROPPED_FINDINGS = 24
"""Bone findings that are zoomed, in order of significance: more would fill pages that nobody reads."""

_LETTERS_LISTED = 12
_LETTERS_OF_ABSENT = 4
_CHECKS_NAMED = 2
_REGIONS_NAMED = 3
_TELLING_UNCERTAINTY = 0.01
# DICOM writes the mass number raised: "Technetium Tc^99m^ medronate", earlier "^99m^Technetium".
_NUCLIDES = (
    (re.compile(r"(?:\b[A-Z][a-z]+ )?\b([A-Z][a-z]?)\s*\^(\d+m?)\^"), r"\1-\2"),
    (re.compile(r"\^(\d+m?)\^\s*([A-Za-z]+)"), r"\2-\1"),
    (re.compile(r"\b(?:Technetium )?Tc[\s-]?99m\b|\b99m[\s-]?Tc\b", re.IGNORECASE), "Tc-99m"),
)
_WORST_FIRST = {Verdict.WITHHOLD: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2, Verdict.PASS: 3}
_HIDDEN = dict.fromkeys((*range(32), *range(127, 160), *range(8234, 8239), *range(8294, 8298)), " ")


@cache
def words(language: str = "en") -> Mapping[str, Any]:
    """Return the report's wording, ``words.<language>.toml``.

    Parameters
    ----------
    language : str, optional
        Language code of a packaged wording.

    Returns
    -------
    mapping
        Sections of sentences, as in the file.
    """
    return tomllib.loads(
        resources.files("bonescan.report").joinpath(f"words.{language}.toml").read_text(encoding="utf-8")
    )


def report_content(
    reading: Reading, windows: Mapping[ViewName, Window], without_letter: Sequence[str] = (), *, cropped: bool = False
) -> dict[str, Any]:
    """Return every text, table and caption of the report, as JSON values without any markup.

    Parameters
    ----------
    reading : Reading
    windows : mapping of ViewName to Window
        The windows the views are drawn with.
    without_letter : sequence of str
        Letters that found no room beside the pictures.
    cropped : bool, optional
        Whether the pictures leave out empty field.

    Returns
    -------
    dict
        Sections in reading order. Text is as given by the file: whoever sets
        it into a page escapes it.
    """
    w = words()
    bone = [finding for finding in reading.findings if finding.kind is Kind.BONE and not finding.likely_normal]
    normal = [finding for finding in reading.findings if finding.likely_normal]
    other = [finding for finding in reading.findings if finding.kind is not Kind.BONE]
    scan = reading.scan
    examined = scan.acquired_at.strftime("%Y-%m-%d %H:%M") if scan.acquired_at else w["not_stated"]
    content: dict[str, Any] = cleaned(
        {
            "language": w["language"],
            "title": w["title"],
            "banner": w["banner"],
            "zoom": w["zoom"],
            "font_note": w["font_note"],
            "page": w["page"],
            "footer": w["footer"].format(patient_id=scan.patient.patient_id or w["not_stated"], date=examined),
            "patient": {"heading": w["patient"]["heading"], "rows": _patient(reading, examined)},
            "impression": impression_section(reading, w["impression"]),
            "patterns": patterns_section(reading, w["patterns"]),
            "summary": {
                "heading": w["summary"]["heading"],
                "sentence": _in_a_sentence(reading, bone, normal, other),
                "cards": _summary(reading, bone, other),
            },
            "plate": _plate(reading, windows, without_letter, cropped),
            "bone": _bone_table(bone, doubtful_size=_size_is_doubtful(reading)),
            "crops": _crops(bone),
            "normal": _normal_table(normal),
            "other": _other_table(other),
            "burden": _burden(reading),
            "regions": _regions(reading),
            "quality": _quality(reading),
            "remarks": _remarks(reading),
            "method": {
                "heading": w["method"]["heading"],
                "rows": [[key.replace("_", " "), text] for key, text in reading.method.items()]
                + [
                    [
                        w["method"]["versions"],
                        _joined(f"{name.replace('_', ' ')} {version}" for name, version in reading.versions.items()),
                    ]
                ]
                + [
                    [w["method"]["sources"], f"{source.file_name} (SHA-256 {source.sha256})"] for source in scan.sources
                ],
            },
            "limits": {"heading": w["limits"]["heading"], "text": w["limits"]["text"]},
            "credits": {
                "heading": w["credits"]["heading"],
                "text": [
                    text.format(version=reading.versions.get("bonescan", "")).strip() for text in w["credits"]["text"]
                ],
            },
        }
    )
    return content


def crop_caption(view: ViewName, window: Window, *, seen: bool) -> str:
    """Return what stands under one zoomed square.

    Parameters
    ----------
    view : ViewName
    window : Window
        The window of the square.
    seen : bool
        Whether the finding is outlined in this view.

    Returns
    -------
    str
    """
    form = words()["crops"]["caption" if seen else "caption_unseen"]
    return str(form.format(view=words()["picture"][view.value], lower=_short(window.lower), upper=_short(window.upper)))


def crop_alt(view: ViewName, finding: Finding) -> str:
    """Return the text that stands for one zoomed square where it cannot be seen.

    Parameters
    ----------
    view : ViewName
    finding : Finding

    Returns
    -------
    str
    """
    text: str = words()["crops"]["alt"].format(
        view=words()["picture"][view.value], letter=finding.letter, place=finding.place
    )
    return text.translate(_HIDDEN)


def crop_evidence(finding: Finding) -> list[str]:
    """Return what speaks for and against metastasis, as it stands under the zoomed squares.

    Parameters
    ----------
    finding : Finding

    Returns
    -------
    list of str
    """
    return [text.translate(_HIDDEN) for text in evidence_lines(finding.evidence, words()["natures"])]


def measured(measurement: Measurement) -> str:
    """Write a measurement for a table: value, one standard deviation and unit, or why it is absent.

    Parameters
    ----------
    measurement : Measurement

    Returns
    -------
    str
        Such as ``1.8 ± 0.3 %``, or ``not given: `` and the reason. The
        uncertainty has one digit, or two where the first is 1, and the value
        ends at the same place. A number of counts goes without when it is
        below a hundredth: its last digits would only look exact.
    """
    w = words()
    value, spread = measurement.value, measurement.uncertainty
    if value is None:
        return f"{w['not_given']}: {measurement.absent_reason}"
    unit = w["units"].get(measurement.unit, measurement.unit)
    sure = measurement.unit == "{counts}" and spread is not None and spread < _TELLING_UNCERTAINTY * abs(value)
    if spread is None or spread == 0 or sure:
        return f"{_short(value)} {unit}".rstrip()
    mantissa, exponent = f"{spread:.1e}".split("e")
    decimals = (1 if mantissa.startswith("1") else 0) - int(exponent)
    return f"{_rounded(value, decimals)} ± {_rounded(spread, decimals)} {unit}".rstrip()


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


def _rounded(value: float, decimals: int) -> str:
    """Write a number with fixed decimals, negative ones for whole tens and hundreds, its thousands apart."""
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.replace(",", "\u202f").replace("-", "\u2212")


def _two_digits(value: float) -> str:
    """Write a number so that a column of them reads alike: 0.85, 2.0, 25."""
    size = abs(value)
    return _rounded(value, 2 if size < 0.995 else 1 if size < 9.95 else 0)


def _short(value: float, digits: int = 3) -> str:
    """Write a number with few significant digits, from 1000 on as a whole number with its thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    text = f"{float(f'{value:.{digits}g}'):.6f}".rstrip("0").rstrip(".")
    return (text if text not in ("0", "-0") else f"{value:.0e}").replace("-", "\u2212")


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
        return value.encode("utf-8", "replace").decode("utf-8").translate(_HIDDEN)
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(item) for item in value]
    return value


def _patient(reading: Reading, examined: str) -> list[list[str]]:
    w, scan = words()["patient"], reading.scan
    absent = words()["not_stated"]
    person, injection, device = scan.patient, scan.injection, scan.device
    name = ", ".join(part for part in (person.name or "").split("^", 1) if part).replace("^", " ")
    born = person.birth_date.isoformat() if person.birth_date else ""
    age = f"{person.age_years:.0f} y" if person.age_years is not None else ""
    size = [
        f"{person.stature_m:.2f} m" if person.stature_m is not None else "",
        f"{person.weight_kg:.0f} kg" if person.weight_kg is not None else "",
    ]
    injected = [
        tracer_name(injection.radiopharmaceutical or injection.radionuclide or ""),
        f"{injection.activity_mbq:.0f} MBq" if injection.activity_mbq is not None else "",
        injection.injected_at.strftime("%Y-%m-%d %H:%M") if injection.injected_at else "",
    ]
    rows = [
        (w["name"], name.strip()),
        (w["patient_id"], person.patient_id),
        (w["birth_date"], _joined([born, age])),
        (w["sex"], w.get((person.sex or "").strip().upper(), person.sex) if person.sex else ""),
        (w["stature"], _joined(size)),
        (w["examined"], examined),
        (w["study"], scan.study_description),
        (w["injected"], _joined(injected)),
        (w["delay"], f"{scan.delay_h:.1f} h" if scan.delay_h is not None else ""),
        (w["device"], " ".join(part for part in (device.manufacturer, device.model) if part)),
    ]
    return [[label, value or absent] for label, value in rows]


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _in_a_sentence(
    reading: Reading, bone: Sequence[Finding], normal: Sequence[Finding], other: Sequence[Finding]
) -> str:
    """Say in plain words how much was found and where most of it lies: counts, no diagnosis."""
    from bonescan.anatomy import REGION_NAMES
    from bonescan.anatomy import bone as bone_named

    w = words()["sentence"]

    def number(what: str, count: int) -> str:
        return str(w[what][min(count, 2)].format(count=count))

    kinds = Counter(finding.kind for finding in other)
    apart = w["apart"].format(
        normal=number("normal", len(normal)),
        physiologic=number("physiologic", kinds[Kind.PHYSIOLOGIC]),
        artefact=number("artefact", kinds[Kind.ARTEFACT]),
    )
    if bone:
        hot = sum(finding.polarity is Polarity.HOT for finding in bone)
        found = w["found"].format(hot=number("hot", hot), cold=number("cold", len(bone) - hot))
        regions = Counter(
            REGION_NAMES.get(bone_named(finding.bone).region if finding.bone else finding.region, w["elsewhere"])
            for finding in bone
        ).most_common()
        form = w["all_in"] if len(regions) <= _REGIONS_NAMED else w["most_in"]
        named = _joined(w["place"].format(name=name, count=count) for name, count in regions[:_REGIONS_NAMED])
        found += form.format(places=named)
    else:
        found = w["nothing"]
    trust = [] if reading.labels.trusted or not bone else [w["untrusted"]]
    return " ".join([found + apart, *trust, w["no_diagnosis"] if bone else w["not_excluded"]])


def _summary(reading: Reading, bone: Sequence[Finding], other: Sequence[Finding]) -> list[dict[str, str]]:
    w = words()["summary"]
    hot = sum(finding.polarity is Polarity.HOT for finding in bone)
    first = "; ".join(
        w["findings_one"].format(letter=finding.letter, place=finding.place, ratio=_two_digits(finding.uptake_ratio))
        for finding in bone[:4]
    )
    index = reading.burden.bone_scan_index_percent
    checks = reading.quality.checks
    doubtful = [check for check in checks if check.verdict is not Verdict.PASS]
    correlations = _joined(
        f"{words()['picture'][view.name.value].lower()} {view.correlation:.2f}" for view in reading.labels.views
    )
    cards = [
        {
            "label": w["findings"],
            "value": w["findings_value"].format(count=len(bone), hot=hot, cold=len(bone) - hot)
            if bone
            else w["findings_none"],
            "note": w["findings_note"].format(first=first) if bone else w["findings_none_note"],
            "tone": "plain",
        },
        {
            "label": w["burden"],
            "value": measured(index) if index.value is not None else words()["not_given"],
            "note": w["burden_note" if reading.burden.hot_spot_count else "burden_none_note"].format(
                counted=reading.burden.hot_spot_count, hot=hot, table=reading.burden.mass_table
            )
            + _unjudged(reading)
            if index.value is not None
            else _sentence(index.absent_reason),
            "tone": "plain" if index.value is not None else "bad",
        },
        {
            "label": w["quality"],
            "value": _joined(
                w[f"quality_{verdict.value}"][count > 1].format(count=count)
                for verdict in _WORST_FIRST
                if (count := sum(check.verdict is verdict for check in checks))
            )
            or w["quality_unchecked"],
            "note": _quality_note(doubtful),
            "tone": _tone(check.verdict for check in checks),
        },
        {
            "label": w["labels"],
            "value": w["labels_trusted"] if reading.labels.trusted else w["labels_untrusted"],
            "note": w["labels_trusted_note"].format(correlations=correlations)
            if reading.labels.trusted
            else w["labels_untrusted_note"],
            "tone": "plain" if reading.labels.trusted else "bad",
        },
        *familiarity_card(reading, words()["familiarity"]),
        {
            "label": w["others"],
            "value": w["others_value"].format(count=len(other)),
            "note": w["others_note"],
            "tone": "plain",
        },
    ]
    return cards


def _quality_note(doubtful: Sequence[QualityCheck]) -> str:
    """Say what the worst checks found, and how many more there are."""
    w = words()["summary"]
    if not doubtful:
        return str(w["quality_all"])
    texts = [check.text for check in sorted(doubtful, key=lambda check: _WORST_FIRST[check.verdict])]
    more = [w["quality_more"].format(count=len(texts) - _CHECKS_NAMED)] if len(texts) > _CHECKS_NAMED else []
    return " ".join([*texts[:_CHECKS_NAMED], *more])


def _tone(verdicts: Iterable[Verdict]) -> str:
    worst = set(verdicts)
    return "bad" if Verdict.WITHHOLD in worst else "warn" if worst - {Verdict.PASS} else "plain"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _plate(
    reading: Reading, windows: Mapping[ViewName, Window], without_letter: Sequence[str], cropped: bool
) -> dict[str, Any]:
    w, names = words()["plate"], words()["picture"]
    spans = "; ".join(
        w["window"].format(view=names[view.value], lower=_short(window.lower), upper=_short(window.upper))
        for view, window in windows.items()
    )
    caption = w["caption"].format(windows=spans, coordinates=w["coordinates"])
    extra = [w["cropped"]] if cropped else []
    if not all(view.spacing_known for view in reading.scan.views):
        extra.append(w["spacing_assumed"])
    if without_letter:
        few = len(without_letter) <= _LETTERS_LISTED
        ends = {"first": without_letter[0], "last": without_letter[-1], "count": len(without_letter)}
        letters = ", ".join(without_letter) if few else w["letters_between"].format(**ends)
        extra.append(w["without_letter"].format(letters=letters))
    if len(windows) == 1:
        extra.append(w["one_view"].format(view=names[next(iter(windows)).value].lower()))
    views = " / ".join(names[view.value] for view in windows)
    return {
        "heading": w["heading"],
        "caption": " ".join([caption, *extra]),
        "alt": w["alt"].format(views=views, count=len(reading.findings)),
    }


def _row(finding: Finding, *, one_reference: bool) -> dict[str, str]:
    """Return the cells of a finding's row by name."""
    w = words()["findings"]
    areas = [_two_digits(finding.views[view].area_mm2 / 100) if view in finding.views else "–" for view in ViewName]
    what = finding.polarity.value if finding.kind is Kind.BONE else finding.kind.value
    reason = f"{w[what]}. {_sentence(finding.reason)}" if finding.reason else f"{w[what]}."
    if finding.likelihood.value is not None and not finding.natures:
        reason += " " + w["likelihood"].format(value=measured(finding.likelihood))
    ratio = f"{_two_digits(finding.uptake_ratio)} ×"
    return {
        "mark": finding.letter,
        "place": finding.place,
        "nature": nature_words(finding, words()["natures"]),
        "uptake": ratio if one_reference else f"{ratio} {finding.uptake_reference}",
        "significance": _two_digits(finding.significance),
        "area": " / ".join(areas),
        "depth": "–"
        if finding.depth_mm.value is None
        else f"{finding.depth_mm.value:.0f}"
        + (f" ± {finding.depth_mm.uncertainty:.0f}" if finding.depth_mm.uncertainty is not None else ""),
        "mass": f"{finding.mass_share_percent:.2f}",
        "counted": w["yes"] if finding.in_burden else w["no"],
        "reason": reason,
    }


def _table(findings: Sequence[Finding], cells: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    references = {finding.uptake_reference for finding in findings}
    one = len(references) == 1
    rows = []
    for finding in findings:
        row = _row(finding, one_reference=one)
        rows.append({"style": style_of(finding), "cells": [row[cell] for cell in cells]})
    return rows, next(iter(references)) if one else words()["findings"]["reference_own"]


def _size_is_doubtful(reading: Reading) -> bool:
    """Whether the pixel size was checked and found wanting; an unknown one is told of under the pictures."""
    return any(
        check.code == "quality.pixel_size" and check.verdict in (Verdict.WARN, Verdict.WITHHOLD)
        for check in reading.quality.checks
    )


def _bone_table(findings: Sequence[Finding], *, doubtful_size: bool) -> dict[str, Any]:
    w = words()["findings"]
    natured = any(finding.natures for finding in findings)
    nature = ("nature",) if natured else ()
    cells = ("mark", "place", *nature, "uptake", "significance", "area", "depth", "mass", "counted", "reason")
    rows, reference = _table(findings, cells)
    notes = [w["units"].format(reference=reference)] if findings else []
    notes += [w["nature_note"]] if natured else []
    notes += [w["doubtful_size"]] if findings and doubtful_size else []
    notes += _absent([(f.letter, f.depth_mm) for f in findings], w["absent_depth"])
    notes += _absent([(f.letter, f.likelihood) for f in findings], w["absent_likelihood"])
    return {
        "heading": w["bone_heading"],
        "columns": w["columns_nature" if natured else "columns_bone"],
        "natured": natured,
        "rows": rows,
        "none": w["bone_none"],
        "notes": notes,
    }


def _normal_table(findings: Sequence[Finding]) -> dict[str, Any]:
    w = words()["findings"]
    cells = ("mark", "place", "nature", "uptake", "significance", "area", "reason")
    rows, reference = _table(findings, cells)
    return {
        "heading": w["normal_heading"],
        "columns": w["columns_normal"],
        "natured": True,
        "rows": rows,
        "none": w["normal_none"],
        "notes": [w["normal_note"], w["units_other"].format(reference=reference)] if findings else [],
    }


def _other_table(findings: Sequence[Finding]) -> dict[str, Any]:
    w = words()["findings"]
    cells = ("mark", "place", "uptake", "significance", "area", "reason")
    rows, reference = _table(findings, cells)
    return {
        "heading": w["other_heading"],
        "columns": w["columns_other"],
        "natured": False,
        "rows": rows,
        "none": w["other_none"],
        "notes": [w["units_other"].format(reference=reference)] if findings else [],
    }


def _absent(figures: Sequence[tuple[str, Measurement]], form: str) -> list[str]:
    """Say once for every reason which findings lack a figure because of it, or how many where they are many."""
    reasons: dict[str, list[str]] = {}
    for letter, figure in figures:
        if figure.value is None:
            reasons.setdefault(figure.absent_reason, []).append(letter)
    everyone = words()["findings"]["all"]
    several = words()["findings"]["several"]

    def which(letters: Sequence[str]) -> str:
        if len(letters) == len(figures):
            return str(everyone)
        if len(letters) <= _LETTERS_OF_ABSENT:
            return ", ".join(letters)
        return str(several.format(count=len(letters), total=len(figures)))

    return [form.format(reason=reason, letters=which(letters)) for reason, letters in reasons.items()]


def _crops(bone: Sequence[Finding]) -> dict[str, Any]:
    w = words()["crops"]
    notes = [w["note"]]
    if any(finding.evidence for finding in bone):
        notes.append(words()["findings"]["evidence_note"])
    if len(bone) > CROPPED_FINDINGS:
        notes.append(w["limited"].format(shown=CROPPED_FINDINGS, total=len(bone)))
    return {"heading": w["heading"], "notes": notes}


def _regions(reading: Reading) -> dict[str, str]:
    from bonescan.anatomy import REGION_NAMES

    w = words()["regions"]
    views = " / ".join(words()["picture"][view.name.value] for view in reading.labels.views)
    present = sorted({int(number) for view in reading.labels.views for number in np.unique(view.regions)})
    names = _joined(REGION_NAMES.get(number, str(number)) for number in present if number)
    return {"heading": w["heading"], "caption": w["caption"], "alt": w["alt"].format(views=views, names=names)}


def _burden(reading: Reading) -> dict[str, Any]:
    from bonescan.anatomy import REGION_NAMES

    w, burden = words()["burden"], reading.burden
    return {
        "heading": w["heading"],
        "rows": [
            [w["index"], measured(burden.bone_scan_index_percent)],
            [w["table"], burden.mass_table],
            [w["count"], str(burden.hot_spot_count)],
            [w["positive"], measured(burden.positive_area_percent)],
            [w["area"], _area(burden.lesion_area_mm2)],
            [w["missing"], _joined(burden.not_in_view) or w["missing_none"]],
        ],
        "by_region": {
            "heading": w["by_region"],
            "columns": [w["region"], w["share"], w["spots"]],
            "rows": [
                [REGION_NAMES.get(number, str(number)), f"{share:.2f}" if share >= 0.005 else "< 0.01", str(count)]
                for number, (share, count) in sorted(burden.by_region.items())
            ],
            "none": w["by_region_none"],
        },
        "note": w["note"] + _unjudged(reading),
    }


def _unjudged(reading: Reading) -> str:
    """Say that no finding has a probability, where none has."""
    judged = any(finding.natures for finding in reading.findings)
    return "" if judged else " " + str(words()["summary"]["burden_unjudged"])


def _area(area_mm2: Measurement) -> str:
    """Write an area in square centimetres, the size readers think in."""
    if area_mm2.value is None:
        return measured(area_mm2)
    spread = None if area_mm2.uncertainty is None else area_mm2.uncertainty / 100
    return measured(Measurement(value=area_mm2.value / 100, unit="cm2", uncertainty=spread, method=area_mm2.method))


def _quality(reading: Reading) -> dict[str, Any]:
    w = words()["quality"]
    return {
        "heading": w["heading"],
        "columns": w["columns"],
        "none": w["none"],
        "rows": [
            {
                "style": check.verdict.value,
                "cells": [w[check.verdict.value], check.question, _value(check.measured), check.text],
            }
            for check in sorted(reading.quality.checks, key=lambda check: _WORST_FIRST[check.verdict])
        ],
    }


def _value(measurement: Measurement) -> str:
    """Write a check's figure; why it is absent stands in the check's own sentence."""
    return measured(measurement) if measurement.value is not None else "–"


def _remarks(reading: Reading) -> dict[str, Any]:
    w = words()["remarks"]
    order = {Severity.WITHHELD: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return {
        "heading": w["heading"],
        "none": w["none"],
        "rows": [
            {"style": remark.severity.value, "cells": [w[remark.severity.value], remark.text]}
            for remark in sorted(reading.remarks, key=lambda remark: order[remark.severity])
        ],
    }
