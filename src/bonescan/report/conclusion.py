"""The conclusion in the report: the impression, the patterns with their evidence, what each finding most likely is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bonescan.reading.model import Presence
from bonescan.report.figures import decimals, short
from bonescan.report.language import Language

__all__ = ["evidence_lines", "familiarity_card", "impression_section", "nature_words", "patterns_section"]

_NATURES_SHOWN = 3
_LEAST_SHOWN = 0.1
"""[D] Natures less likely than this say nothing to a reader."""

_EVIDENCE_SHOWN = 4


def impression_section(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return the impression that the reading proposes.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.
    tongue : Language

    Returns
    -------
    dict
        Empty lists where the reading holds no impression. The heading tells a reading whose findings a physician
        changed: what follows is then no proposal of the software alone.
    """
    impression, w = record.get("impression") or {}, tongue.words["impression"]

    def told(key: str) -> list[str]:
        return [tongue.say(text) for text in impression.get(key, ())]

    return {
        "heading": w["revised" if (record.get("revision") or {}).get("edits") else "heading"],
        "sentences": told("sentences"),
        "abstains": {"heading": w["abstains"], "text": told("abstains")},
        "advice": {"heading": w["advice"], "text": told("advice")},
        "note": w["note"] if impression else "",
    }


def familiarity_card(record: Mapping[str, Any], tongue: Language) -> list[dict[str, str]]:
    """Return the card that says how far the scan is from those the reader was made with.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    list of dict
        One card, or none where it was not measured.
    """
    familiarity, w = record.get("familiarity"), tongue.words["familiarity"]
    if familiarity is None:
        return []
    share = w["share"].format(percent=short(100 * familiarity["score"], tongue, 2))
    return [
        {
            "label": w["label"],
            "value": w["familiar" if familiarity["familiar"] else "unfamiliar"],
            "note": tongue.words["space"].join([share, *(tongue.say(text) for text in familiarity["reasons"])]),
            "tone": "plain" if familiarity["familiar"] else "bad",
        }
    ]


def patterns_section(record: Mapping[str, Any], tongue: Language) -> dict[str, Any]:
    """Return the patterns that are present or possible, and the names of those that could not be judged.

    Parameters
    ----------
    record : mapping
    tongue : Language

    Returns
    -------
    dict
    """
    w, words = tongue.words["patterns"], tongue.words
    patterns = (record.get("impression") or {}).get("patterns", ())
    letters = {finding["id"]: finding["letter"] for finding in record["findings"]}
    unjudged = [tongue.phrase(one["name"]) for one in patterns if one["presence"] == Presence.NOT_JUDGED]
    notes = [w["note"]]
    if unjudged:
        notes.append(w["not_judged"].format(names=words["joint"].join(unjudged)))
    shown = [one for one in patterns if one["presence"] != Presence.NOT_JUDGED]
    return {
        "heading": w["heading"],
        "columns": w["columns"],
        "none": w["none"],
        "notes": notes,
        "rows": [
            {
                "style": "present" if one["presence"] == Presence.PRESENT else "possible",
                "name": tongue.phrase(one["name"]),
                "presence": w[one["presence"]],
                "marks": _marks(one["findings"], letters, tongue),
                "evidence": [
                    w[sign].format(text=tongue.say(reason["text"]))
                    for sign in ("for", "against")
                    for reason in one[f"evidence_{sign}"][:_EVIDENCE_SHOWN]
                ],
                "source": words["space"].join(
                    (tongue.say(one["uncertainty"]), w["source"].format(source=tongue.say(one["source"])))
                ),
            }
            for one in shown
        ],
    }


def _marks(findings: Iterable[int], letters: Mapping[int, str], tongue: Language) -> str:
    w = tongue.words["patterns"]
    named = [letters[number] for number in findings if number in letters]
    if not named:
        return ""
    first = tongue.words["joint"].join(named[:6])
    return str(w["marks" if len(named) <= 6 else "marks_more"].format(letters=first, count=len(named) - 6))


def nature_words(natures: Mapping[str, float], tongue: Language, *, certain: bool = False) -> str:
    """Say what a finding may be: the two or three likeliest natures with their probability.

    Parameters
    ----------
    natures : mapping of str to float
        Probability of each nature.
    tongue : Language
    certain : bool
        Whether a physician has judged it.

    Returns
    -------
    str
        ``"–"`` where it was not judged.
    """
    w = tongue.words["natures"]
    likely = sorted(natures.items(), key=lambda item: -item[1])[:_NATURES_SHOWN]
    if certain and likely:
        return str(w["judged"].format(name=w[likely[0][0]]))
    told = [
        w["one"].format(name=w[nature], percent=decimals(100 * share, 0, tongue))
        for rank, (nature, share) in enumerate(likely)
        if rank == 0 or share >= _LEAST_SHOWN
    ]
    return tongue.words["joint"].join(told) or "–"


def evidence_lines(evidence: Sequence[Mapping[str, Any]], tongue: Language) -> list[str]:
    """Say the strongest reasons for and against metastasis, each with its sign.

    Parameters
    ----------
    evidence : sequence of mapping
        Of one finding, as ``reading.json`` holds it.
    tongue : Language

    Returns
    -------
    list of str
    """
    w = tongue.words["natures"]
    strongest = sorted(evidence, key=lambda one: -abs(one["weight"]))[:_EVIDENCE_SHOWN]
    return [w["for" if one["weight"] > 0 else "against"].format(text=tongue.say(one["text"])) for one in strongest]
