"""The pages on a comparison: what changed, whether it can be told, what the rules say; HTML, PDF, pictures, JSON."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from bonescan.followup.area import AreaCall
from bonescan.followup.model import Change, ChangeKind, Comparison, LesionChange, Study
from bonescan.followup.progression import BoneState
from bonescan.followup.series import Series
from bonescan.reading.model import Author
from bonescan.report.brush import embedded, png
from bonescan.report.comparison_pictures import blink, draw_changes, draw_pair, draw_timeline, lesion_style
from bonescan.report.comparison_record import comparison_record, remarks_of
from bonescan.report.figures import cleaned, decimals, measured, signed, tracer_name
from bonescan.report.language import Language, language, wording
from bonescan.report.pages import packaged_fonts, page_template, picture_svg, set_pages
from bonescan.report.record import json_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["comparison_content", "render_comparison"]

_STYLES = ("new", "rose", "fell", "same", "gone", "unclear", "look")
_ORDER = ("new", "look", "rose", "fell", "gone", "unclear", "same")  # of each part of the table: what changed first
_PLACES_NAMED = 5
_TONES: Mapping[BoneState, str] = {
    BoneState.CONFIRMED: "bad",
    BoneState.UNCONFIRMED: "caution",
    BoneState.ONE_NEW: "caution",
    BoneState.NOT_EVALUABLE: "caution",
}


def render_comparison(series: Series, code: str = "en") -> dict[str, bytes]:
    """Turn the comparison of a series into its files.

    Parameters
    ----------
    series : Series
    code : str
        Language of the pages, one of `bonescan.report.language.report_languages`; the record is English.

    Returns
    -------
    dict of str to bytes
        By name: ``comparison.json``, ``comparison.html``, ``comparison.pdf``, ``comparison.png`` (side by side),
        ``comparison_changes.png``, ``comparison_blink.gif`` and ``comparison_timeline.png``; the last three are absent
        where they cannot be drawn. The same series gives the same bytes.

    Raises
    ------
    InvalidValue
        When there is no such language.
    """
    tongue = language(code)
    w, letters, latest = _words(tongue), series.letters, series.latest
    plates: dict[str, Image | None] = {
        "plate": draw_pair(latest, letters, w["picture"]),
        "changes": draw_changes(latest, letters, w["picture"]),
        "timeline": draw_timeline(series, w["timeline"], w["states_short"], tongue),
    }
    names = {"plate": "comparison.png", "changes": "comparison_changes.png", "timeline": "comparison_timeline.png"}
    pictures = {key: embedded(image) for key, image in plates.items() if image is not None}
    files = {"comparison.json": json_bytes(comparison_record(series))}
    files |= {names[key]: png(image) for key, image in plates.items() if image is not None}
    film = blink(latest, w["picture"])
    if film is not None:
        files["comparison_blink.gif"] = film
    content = comparison_content(series, tongue)
    source = None if film is None else f"data:image/gif;base64,{base64.b64encode(film).decode('ascii')}"
    files["comparison.html"] = (
        page_template("comparison.html.j2").render(c=content, pictures=pictures, film=source).encode("utf-8")
    )
    files["comparison.pdf"] = _pdf(series, content, pictures)
    return files


def _words(tongue: Language) -> Mapping[str, Any]:
    return wording("comparison", tongue.code)


def comparison_content(series: Series, tongue: Language) -> dict[str, Any]:
    """Return every text and table of the pages, as JSON values without any markup.

    Parameters
    ----------
    series : Series
    tongue : Language

    Returns
    -------
    dict
        Whoever sets a text into a page escapes it.
    """
    w, whole, latest, letters = _words(tongue), tongue.words, series.latest, series.letters
    current = latest.current.scan
    examined = str(latest.current.on or w["undated"])
    content: dict[str, Any] = cleaned(
        {
            "language": whole["language"],
            "wide_letters": not whole["space"],
            "space": whole["space"],
            "title": w["title"],
            "banner": whole["banner"],
            "page": whole["page"],
            "font_note": whole["font_note"],
            "footer": whole["footer"].format(
                patient_id=current.patient.patient_id or whole["not_stated"], date=examined
            ),
            "patient": _patient(series, tongue),
            "summary": {"heading": w["summary"]["heading"], "cards": _cards(series, letters, tongue)},
            "plate": {key: w["plate"][key] for key in ("heading", "caption", "alt")},
            "lesions": _lesions(series, letters, tongue),
            "changes": dict(w["changes"]),
            "timeline": _timeline(series, tongue),
            "rules": _rules(series, tongue),
            "comparable": {
                "heading": w["comparable"]["heading"],
                "columns": w["comparable"]["columns"],
                "rows": [
                    {
                        "style": check.verdict.value,
                        "cells": [
                            w["comparable"][check.verdict.value],
                            tongue.say(check.question),
                            tongue.phrase(check.prior),
                            tongue.phrase(check.current),
                            tongue.say(check.text),
                        ],
                    }
                    for check in latest.comparability.checks
                ],
            },
            "healing": _healing(series, tongue),
            "remarks": {
                "heading": w["remarks"]["heading"],
                "none": w["remarks"]["none"],
                "rows": [tongue.say(remark.text) for remark in remarks_of(latest)],
            },
            "method": _method(series, tongue),
            "limits": {"heading": w["limits"]["heading"], "text": w["limits"]["text"]},
        }
    )
    return content


def _patient(series: Series, tongue: Language) -> list[list[str]]:
    w, absent = _words(tongue)["patient"], tongue.words["not_stated"]
    latest, start = series.latest, series.progression.treatment_start
    person = latest.current.scan.patient
    days = (latest.current.on - latest.prior.on).days if latest.current.on and latest.prior.on else None
    rows = [
        (w["name"], ", ".join(part for part in (person.name or "").split("^", 1) if part).replace("^", " ").strip()),
        (w["patient_id"], person.patient_id),
        (w["birth_date"], str(person.birth_date) if person.birth_date else ""),
        (w["sex"], tongue.words["patient"].get((person.sex or "").strip().upper(), person.sex) if person.sex else ""),
        (w["prior"], _described(latest.prior, tongue)),
        (w["current"], _described(latest.current, tongue)),
        (w["interval"], w["days"].format(days=days, weeks=round(days / 7)) if days is not None else ""),
        (w["treatment"], str(start) if start else w["not_told"]),
    ]
    return [[label, value or absent] for label, value in rows]


def _described(study: Study, tongue: Language) -> str:
    device = " ".join(part for part in (study.scan.device.manufacturer, study.scan.device.model) if part)
    tracer = tracer_name(study.scan.injection.radiopharmaceutical or "")
    return ", ".join(part for part in (str(study.on or _words(tongue)["undated"]), tracer, device) if part)


def _cards(series: Series, letters: Mapping[int, str], tongue: Language) -> list[dict[str, str]]:
    """Half a minute: what changed, what the rules say, whether it can be compared, how much."""
    w, latest, progression = _words(tongue), series.latest, series.progression
    cards, said = w["cards"], w["summary"]
    told = sorted((*latest.lesions, *latest.unmarked), key=_rank)
    shown, faint = ([one for one in told if one.is_place is which] for which in (False, True))
    new = [one for one in shown if one.kind is ChangeKind.NEW and lesion_style(one) != "look"]
    index, area = latest.bone_scan_index, series.area
    checks = latest.comparability.checks
    failed = latest.comparability.reasons
    fits = latest.alignment.trusted
    grade = 3 if not fits else 2 if latest.comparability.withholds_burden else 1 if failed else 0
    failed = (*(remark.text for remark in latest.alignment.remarks if not fits), *failed)
    tracks = {track.letter: track for track in series.tracks}
    uncounted = [letters[one.id] for one in latest.of_kind(ChangeKind.NEW) if not tracks[letters[one.id]].counts]
    joint, space = tongue.words["joint"], tongue.words["space"]
    places = joint.join(
        said["place"].format(letter=letters[one.id], place=tongue.place(one.place)) for one in new[:_PLACES_NAMED]
    )
    more = said["more_named"].format(count=len(new) - _PLACES_NAMED) if len(new) > _PLACES_NAMED else ""
    smaller = any(lesion_style(one) in ("fell", "gone") for one in latest.lesions)
    read = index.as_read
    given = (
        read.prior.value is not None and read.current.value is not None and not latest.comparability.withholds_burden
    )
    return [
        {
            "label": cards["change"],
            "value": _counted(shown, faint, tongue),
            "note": space.join(
                part
                for part in (
                    said["named"].format(places=places + more) if new else "",
                    said["faint"].format(changes=_changes(faint, tongue)) if faint else "",
                    said["no_benefit"] if smaller else "",
                )
                if part
            ),
            "tone": "bad"
            if any(one.suspicious or one.likelihood.value is None for one in new)
            else "caution"
            if new
            else "plain",
        },
        {
            "label": cards["rules"],
            "value": w["states"][progression.state.value],
            "note": space.join(
                [
                    tongue.say(progression.text),
                    *([cards["uncounted"].format(letters=joint.join(uncounted))] if uncounted else []),
                    tongue.say(progression.next_step),
                ]
            ),
            "tone": _TONES.get(progression.state, "plain"),
        },
        {
            "label": cards["comparable"],
            "value": cards["sound"][grade],
            "note": cards["reserve_note"].format(count=len(failed), all=len(checks), first=tongue.say(failed[0]))
            if failed
            else cards["sound_note"],
            "tone": ("plain", "caution", "bad", "bad")[grade],
        },
        {
            "label": cards["index"],
            "value": cards["index_value"].format(
                prior=_value(read.prior.value, tongue), current=_value(read.current.value, tongue)
            )
            if given
            else cards["no_index"],
            "note": tongue.say(index.text),
            "tone": "caution" if index.flagged and given else "plain",
        },
        {
            "label": cards["area"],
            "value": cards["no_area"]
            if area.change_percent.value is None
            else cards["area_value"].format(percent=signed(area.change_percent.value, 0, tongue)),
            "note": tongue.say(area.text),
            "tone": "caution" if area.call is AreaCall.ROSE else "plain",
        },
    ]


def _rank(one: LesionChange) -> tuple[int, int]:
    """What is likely metastatic first, faint places last; in each part what changed first."""
    return 0 if one.suspicious else 2 if one.is_place else 1, _ORDER.index(lesion_style(one))


def _counted(lesions: Sequence[LesionChange], faint: Sequence[LesionChange], tongue: Language) -> str:
    said = _words(tongue)["summary"]
    if not lesions:
        return str(said["only_faint"] if faint else said["nothing"])
    number = Counter(lesion_style(lesion) for lesion in lesions)
    parts = [said[style][min(number[style], 2)].format(count=number[style]) for style in _STYLES]
    text = str(tongue.words["joint"]).join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def _changes(places: Sequence[LesionChange], tongue: Language) -> str:
    """Places by what became of them: ``1 new, 4 unchanged``."""
    w, number = _words(tongue)["summary"], Counter(lesion_style(one) for one in places)
    parts = [w["faint_places"][style].format(count=number[style]) for style in _STYLES if number[style]]
    return str(tongue.words["joint"]).join(parts)


def _value(value: float | None, tongue: Language) -> str:
    return "–" if value is None else decimals(value, 2, tongue)


def _lesions(series: Series, letters: Mapping[int, str], tongue: Language) -> dict[str, Any]:
    w = _words(tongue)["lesions"]
    rows = []
    told = (*series.latest.lesions, *series.latest.unmarked)
    for lesion in sorted(told, key=_rank):
        style = lesion_style(lesion)
        what = w[style]
        if lesion.kind is ChangeKind.MERGED:
            what = w["merged"].format(what=what, count=len(lesion.prior))
        elif lesion.kind is ChangeKind.SPLIT:
            what = w["split"].format(what=what, count=len(lesion.current))
        elif style == "look":
            what = w["look"].format(which=w["more" if lesion.kind is ChangeKind.NEW else "less"])
        brightness = lesion.brightness
        rows.append(
            {
                "style": style,
                "cells": [
                    letters[lesion.id],
                    tongue.place(lesion.place),
                    _metastatic(lesion, series.latest, tongue),
                    what,
                    _both(lesion.uptake_ratio, tongue),
                    measured(brightness, tongue) if brightness.value is not None else w["absent"],
                    w["sure"].format(deviations=signed(lesion.significance, 1, tongue)),
                    tongue.say(lesion.reason),
                ],
            }
        )
    return {"heading": w["heading"], "columns": w["columns"], "rows": rows, "none": w["none"], "note": w["note"]}


def _metastatic(lesion: LesionChange, latest: Comparison, tongue: Language) -> str:
    """How likely a lesion is metastatic, and whether it is no more than a faint place."""
    w, likelihood = _words(tongue)["lesions"], lesion.likelihood.value
    if likelihood is None:
        return str(w["absent"])
    found = [*map(latest.current.finding, lesion.current), *map(latest.prior.finding, lesion.prior)]
    decided = next((one for one in found if one.judged_by is Author.PHYSICIAN and one.natures), None)
    if decided is not None:
        nature = max(decided.natures, key=lambda one: decided.natures[one])
        return str(w["judged"].format(name=tongue.words["natures"][nature.value]))
    said = "suspicious" if lesion.suspicious else "faint" if lesion.is_place else "metastatic"
    return str(w[said].format(percent=round(100 * likelihood)))


def _both(change: Change, tongue: Language) -> str:
    w = _words(tongue)["lesions"]
    ends = [
        w["absent"] if one.value is None else decimals(one.value, 1, tongue) for one in (change.prior, change.current)
    ]
    return str(w["to"].format(prior=ends[0], current=ends[1]))


def _timeline(series: Series, tongue: Language) -> dict[str, Any]:
    w, states = _words(tongue)["timeline"], _words(tongue)["states"]
    told = [
        w["told"].format(
            date=study.on or _words(tongue)["undated"],
            index=_value(study.reading.burden.bone_scan_index_percent.value, tongue),
            count=sum(track.present[number] and track.counts for track in series.tracks),
            state=states[scan.state.value],
        )
        for number, (study, scan) in enumerate(zip(series.studies, series.progression.scans, strict=True))
    ]
    return {
        "heading": w["heading"],
        "alt": w["alt"].format(told=str(tongue.words["clause_joint"]).join(told)),
        "none": w["none"],
    }


def _rules(series: Series, tongue: Language) -> dict[str, Any]:
    w, progression = _words(tongue)["rules"], series.progression
    return {
        "heading": w["heading"],
        "columns": w["columns"],
        "rows": [
            {
                "style": _TONES.get(scan.state, "plain"),
                "cells": [
                    str(scan.on or _words(tongue)["undated"]),
                    _words(tongue)["states"][scan.state.value],
                    ", ".join(scan.new) or "–",
                    tongue.words["space"].join(
                        [tongue.say(scan.text), w["next"].format(text=tongue.say(scan.next_step))]
                    ),
                ],
            }
            for scan in progression.scans
        ],
        "notes": [*map(tongue.say, progression.cautions), w["note"].format(source=progression.source)],
    }


def _healing(series: Series, tongue: Language) -> dict[str, Any]:
    w = _words(tongue)["healing"]
    places = {track.letter: tongue.place(track.place) for track in series.tracks}
    return {
        "heading": w["heading"],
        "note": w["note"],
        "rows": [
            {
                "title": w["row"].format(letter=letter, place=places[letter], call=tongue.phrase(one.call.value)),
                "text": tongue.words["space"].join(tongue.say(part) for part in (one.text, one.expected) if part),
                "next": w["next"].format(text=tongue.say(one.next_step)),
                "source": w["source"].format(source=one.source),
            }
            for letter, one in series.healing.items()
        ],
    }


def _method(series: Series, tongue: Language) -> dict[str, Any]:
    w, latest = _words(tongue)["method"], series.latest
    versions = latest.current.reading.versions
    sources = [
        w["sources"].format(scan=study.on or _words(tongue)["undated"], name=source.file_name, digest=source.sha256)
        for study in series.studies
        for source in study.scan.sources
    ]
    return {
        "heading": w["heading"],
        "rows": [
            *([w["of"].get(key, key.replace("_", " ")), tongue.say(text)] for key, text in latest.method.items()),
            [w["versions"], tongue.words["joint"].join(f"{name} {own}" for name, own in versions.items())],
            *([tongue.words["method"]["sources"], text] for text in sources),
        ],
    }


def _pdf(series: Series, content: Mapping[str, Any], pictures: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Set the pages as PDF/A-2b and PDF/UA-1."""
    files = {"main.typ": resources.files("bonescan.report").joinpath("comparison.typ").read_bytes()}
    for name, picture in pictures.items():
        files[f"{name}.svg"] = picture_svg(picture)
    sizes = {name: [picture["width"], picture["height"]] for name, picture in pictures.items()}
    data = {"content": content, "pictures": sizes}
    fonts = (packaged_fonts(),) if content["wide_letters"] else ()
    return set_pages(files, data, series.latest.current.scan.acquired_at, fonts=fonts)
