"""The leaflet after a bone scan: what a physician saw and has signed, where it is, what usually comes next.

What the program found is never told to a patient. Only `SignedResult` enters: a named physician's conclusion of a
day, the findings of the reading that this physician chose to show, and the physician's own words where there are any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from bonescan.errors import InvalidValue
from bonescan.report.leaflet import LEAFLET_FORMS, leaflet_files, leaflet_words, not_in_font, plain_date, section
from bonescan.report.record import opened_record, taken_for_a_record
from bonescan.report.signature import is_a_name, refuse_before_the_scan
from bonescan.report.skeleton_drawing import draw_skeleton

__all__ = ["RESULT_LEAFLET_NAMES", "Conclusion", "SignedResult", "after_content", "after_files"]

RESULT_LEAFLET_NAMES = (*(f"leaflet.{form}" for form in LEAFLET_FORMS), "leaflet.json")
"""Every file that `after_files` makes."""

_SIDES = {"left": 0, "right": 1, "midline": 2}


class Conclusion(StrEnum):
    """What a physician may conclude, in the few kinds that the leaflet has sentences for."""

    NOTHING_UNUSUAL = "nothing_unusual"
    WEAR = "wear"
    HEALING = "healing"
    INFLAMMATION = "inflammation"
    HARMLESS = "harmless"
    UNCLEAR = "unclear"
    METASTASES = "metastases"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedResult:
    """What a physician answers for towards the patient.

    Parameters
    ----------
    physician : str
        Name as the patient shall read it.
    signed_on : date
    conclusions : tuple of Conclusion
        May be empty where `says` is given.
    places : mapping of str to Conclusion
        What is shown on the drawing: letter of a finding of the reading, or a bone id such as ``"rib_07_l"`` that
        no finding names, and what it is.
    says : str
        The physician's own plain words on what was seen; they replace ours.
    next_steps : str
        The physician's own words on what comes next; they replace ours.

    Raises
    ------
    InvalidValue
        Without a name, without a conclusion, with conclusions that contradict each other, or with a name or own
        words in letters that the leaflet's fonts lack.
    """

    physician: str
    signed_on: date
    conclusions: tuple[Conclusion, ...] = ()
    places: Mapping[str, Conclusion] = field(default_factory=dict)
    says: str = ""
    next_steps: str = ""

    def __post_init__(self) -> None:
        if lacking := not_in_font(self.physician, name=True):
            raise InvalidValue(
                f"The leaflet has no letters for {lacking[0]!r}; write the physician's name in Latin letters.",
                got=lacking,
            )
        for text in (self.says, self.next_steps):
            if lacking := not_in_font(text):
                raise InvalidValue(
                    f"The leaflet has no letters for {lacking[0]!r}; write the physician's own words in Latin, "
                    "Greek, Cyrillic or simplified Chinese letters.",
                    got=lacking,
                )
        if not is_a_name(self.physician):
            raise InvalidValue(
                f"A result goes to the patient only in the name of a physician, got {self.physician!r}.",
                got=self.physician,
            )
        if not self.conclusions and not self.says.strip():
            raise InvalidValue("A signed result needs a conclusion or the physician's own words; it has neither.")
        if Conclusion.NOTHING_UNUSUAL in self.conclusions and (len(self.conclusions) > 1 or self.places):
            raise InvalidValue("'nothing_unusual' stands alone: leave it out, or leave out the other conclusions.")
        for key, what in self.places.items():
            if what not in self.conclusions:
                raise InvalidValue(
                    f"The place {key} is called '{what}', which the signed conclusions do not hold; add it to them.",
                    got=str(what),
                    expected=[str(conclusion) for conclusion in self.conclusions],
                )


def after_files(reading_json: bytes, signed: SignedResult, language: str = "en") -> dict[str, bytes]:
    """Set the leaflet of a signed result.

    Parameters
    ----------
    reading_json : bytes
        The ``reading.json`` that the physician has read and signed.
    signed : SignedResult
    language : str
        One of `bonescan.report.leaflet.leaflet_languages`; the physician's own words are taken as they are.

    Returns
    -------
    dict of str to bytes
        As in `RESULT_LEAFLET_NAMES`; ``leaflet.json`` records who signed what, and the SHA-256 of the reading.

    Raises
    ------
    InvalidValue
        When there is no such language or place, or the scan is younger than the signature.
    UnreadableInput
        When the reading is none, or of another version.
    """
    with taken_for_a_record():
        record = _needed(opened_record(reading_json))
    files = leaflet_files(after_content(record, signed, language), datetime.combine(signed.signed_on, time()))
    named = {f"leaflet.{form}": content for form, content in files.items()}
    deed = {
        "schema": "bonescan-leaflet/1",
        "language": language,
        "physician": signed.physician,
        "signed_on": signed.signed_on.isoformat(),
        "conclusions": [str(conclusion) for conclusion in signed.conclusions],
        "places": {key: str(what) for key, what in signed.places.items()},
        "says": signed.says,
        "next_steps": signed.next_steps,
        "reading_sha256": hashlib.sha256(reading_json).hexdigest(),
    }
    return {**named, "leaflet.json": (json.dumps(deed, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")}


def _needed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Take from a reading what a leaflet needs; what is not there or of another kind raises."""
    scan, findings = record["scan"], record["findings"]
    if scan["acquired_at"] is not None:
        datetime.fromisoformat(scan["acquired_at"])
    _name(scan["patient"]["name"])
    told = [{key: finding[key] for key in ("letter", "bone", "side", "region")} for finding in findings]
    return {
        "scan": scan,
        "findings": {finding["letter"]: {**finding, "region": int(finding["region"])} for finding in told},
    }


def after_content(record: Mapping[str, Any], signed: SignedResult, language: str = "en") -> dict[str, Any]:
    """Return every text of the leaflet after the scan, as JSON values without markup.

    Parameters
    ----------
    record : mapping
        ``scan`` as in ``reading.json``, and its ``findings`` by letter.
    signed : SignedResult
    language : str

    Returns
    -------
    dict
        As `bonescan.report.leaflet_before.before_content` returns.

    Raises
    ------
    InvalidValue
        When there is no such language or place, or the scan is younger than the signature.
    """
    words = leaflet_words(language)
    w, scan = words["after"], record["scan"]
    scanned = datetime.fromisoformat(scan["acquired_at"]).date() if scan["acquired_at"] else None
    refuse_before_the_scan("result", signed.signed_on, scan["acquired_at"])
    shown = _places(record["findings"], signed, words)
    kinds = [kind for kind in Conclusion if kind in signed.conclusions]
    seen, upcoming = [w["seen"][kind]["text"] for kind in kinds], [w["seen"][kind]["next"] for kind in kinds]
    if signed.says.strip():
        seen = [w["own_words"], signed.says.strip()]
    upcoming = [signed.next_steps.strip()] if signed.next_steps.strip() else [*upcoming, w["next"]["text"]]
    terms = [*words["glossary"]["after"]]
    if Conclusion.METASTASES in kinds:
        terms += words["glossary"]["metastases"]
    blocks = [section(w["seen"], *seen, w["seen"]["text"], important=True)]
    blocks.append(section(w["next"], *upcoming))
    blocks += [shown] if shown["places"] else []
    blocks.append({**section(w["ask"], points=tuple(w["ask"]["list"])), "kind": "notes", "note": w["ask"]["note"]})
    blocks.append({"kind": "glossary", "heading": words["glossary"]["heading"], "terms": terms})
    blocks.append(section(words["disclaimer"], words["disclaimer"]["after"]))
    return {
        "language": words["language"],
        "wide_letters": not words["space"],
        "colon": words["colon"],
        "title": w["title"],
        "subtitle": w["subtitle"].format(date=plain_date(scanned, words)) if scanned else w["subtitle_undated"],
        "label": words["label"],
        "name": _name(scan["patient"]["name"]),
        "signed": w["signed"].format(physician=signed.physician, date=plain_date(signed.signed_on, words)),
        "blocks": blocks,
        "by_hand": words["by_hand"],
        "questions": words["questions"],
        "banner": words["banner"],
    }


def _places(findings: Mapping[str, Any], signed: SignedResult, words: Mapping[str, Any]) -> dict[str, Any]:
    """Number what the physician shows: places of one name and one kind are one, with all their bones."""
    w = words["after"]
    bones: dict[str, list[str]] = {}
    for key, what in signed.places.items():
        region, side, own = _place(key, findings)
        text = words["colon"].join((words["places"][region][_SIDES[side]], w["seen"][what]["place"]))
        bones.setdefault(text, []).extend(own)
    numbered = {str(number): (text, own) for number, (text, own) in enumerate(bones.items(), start=1)}
    return {
        "kind": "places",
        "heading": w["places"]["heading"],
        "places": [[number, text] for number, (text, _) in numbered.items()],
        "text": [w["places"]["caption"]],
        "right": w["places"]["right"],
        "left": w["places"]["left"],
        "credit": w["places"]["credit"],
        "alt": " ".join((w["places"]["alt"], *(f"{number}. {text}." for number, (text, _) in numbered.items()))),
        "svg": draw_skeleton({number: own for number, (_, own) in numbered.items()}),
    }


def _place(key: str, findings: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """Return the region's name, the side and the bones of a finding's letter or a bone's id."""
    from bonescan.anatomy import BONES, REGION_NAMES

    by_id = {bone.id: bone for bone in BONES}
    if key in findings:
        finding = findings[key]
        bone, region, side = by_id.get(finding["bone"]), int(finding["region"]), str(finding["side"])
        region = region or (bone.region if bone is not None else 0)
    else:
        bone = by_id.get(key)
        region, side = (bone.region, bone.side) if bone is not None else (0, "")
    if not region:
        raise InvalidValue(
            f"'{key}' is no bone finding of this reading and no bone (see bonescan anatomy); its letters are "
            f"{', '.join(findings) or 'none'}.",
            got=key,
            expected=tuple(findings),
        )
    if bone is not None and not bone.id.startswith("skull"):
        own = [bone.id]
    else:
        own = [each.id for each in BONES if each.region == region and side in (each.side, "midline", "")]
    return REGION_NAMES[region], side if side in _SIDES else "midline", own


def _name(text: str | None) -> str:
    """Write a DICOM person name as people read it: the first group that says something, its parts apart."""
    groups = (" ".join(part for part in group.split("^") if part) for group in (text or "").split("="))
    return next(filter(None, groups), "")
