"""The conclusion in the report: the impression, the patterns with their evidence, what each finding most likely is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bonescan.reading.model import Evidence, Finding, Pattern, Presence, Reading

__all__ = ["evidence_lines", "familiarity_card", "impression_section", "nature_words", "patterns_section"]

_NATURES_SHOWN = 3
_LEAST_SHOWN = 0.1
"""[D] Natures less likely than this say nothing to a reader."""

_EVIDENCE_SHOWN = 4


def impression_section(reading: Reading, words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the impression as the report shows it first.

    Parameters
    ----------
    reading : Reading
    words : mapping
        Section ``impression`` of the wording.

    Returns
    -------
    dict
        Empty lists where the reading holds no impression.
    """
    impression = reading.impression
    return {
        "heading": words["heading"],
        "sentences": list(impression.sentences) if impression else [],
        "abstains": {"heading": words["abstains"], "text": list(impression.abstains) if impression else []},
        "advice": {"heading": words["advice"], "text": list(impression.advice) if impression else []},
        "note": words["note"] if impression else "",
    }


def familiarity_card(reading: Reading, words: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the card that says how far the scan is from those the reader was made with.

    Parameters
    ----------
    reading : Reading
    words : mapping
        Section ``familiarity`` of the wording.

    Returns
    -------
    list of dict
        One card, or none where it was not measured.
    """
    familiarity = reading.familiarity
    if familiarity is None:
        return []
    share = words["share"].format(percent=f"{100 * familiarity.score:.2g}")
    return [
        {
            "label": words["label"],
            "value": words["familiar" if familiarity.familiar else "unfamiliar"],
            "note": " ".join([share, *familiarity.reasons]),
            "tone": "plain" if familiarity.familiar else "bad",
        }
    ]


def patterns_section(reading: Reading, words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patterns that are present or possible, and the names of those that could not be judged.

    Parameters
    ----------
    reading : Reading
    words : mapping
        Section ``patterns`` of the wording.

    Returns
    -------
    dict
    """
    patterns = reading.impression.patterns if reading.impression else ()
    letters = {finding.id: finding.letter for finding in reading.findings}
    unjudged = [pattern.name for pattern in patterns if pattern.presence is Presence.NOT_JUDGED]
    notes = [words["note"]]
    if unjudged:
        notes.append(words["not_judged"].format(names=", ".join(unjudged)))
    shown = [pattern for pattern in patterns if pattern.presence is not Presence.NOT_JUDGED]
    return {
        "heading": words["heading"],
        "columns": words["columns"],
        "none": words["none"],
        "notes": notes,
        "rows": [
            {
                "style": "present" if pattern.presence is Presence.PRESENT else "possible",
                "name": pattern.name,
                "presence": words[pattern.presence.value],
                "marks": _marks(pattern, letters, words),
                "evidence": [
                    *(words["for"].format(text=one.text) for one in pattern.evidence_for[:_EVIDENCE_SHOWN]),
                    *(words["against"].format(text=one.text) for one in pattern.evidence_against[:_EVIDENCE_SHOWN]),
                ],
                "source": f"{pattern.uncertainty} {words['source'].format(source=pattern.source)}",
            }
            for pattern in shown
        ],
    }


def _marks(pattern: Pattern, letters: Mapping[int, str], words: Mapping[str, Any]) -> str:
    named = [letters[number] for number in pattern.findings if number in letters]
    if not named:
        return ""
    first = ", ".join(named[:6])
    return str(words["marks" if len(named) <= 6 else "marks_more"].format(letters=first, count=len(named) - 6))


def nature_words(finding: Finding, words: Mapping[str, Any]) -> str:
    """Say what a finding may be: the two or three likeliest natures with their probability.

    Parameters
    ----------
    finding : Finding
    words : mapping
        Section ``natures`` of the wording.

    Returns
    -------
    str
        ``"–"`` where it was not judged.
    """
    likely = sorted(finding.natures.items(), key=lambda item: -item[1])[:_NATURES_SHOWN]
    told = [
        words["one"].format(name=words[nature.value], percent=f"{100 * share:.0f}")
        for rank, (nature, share) in enumerate(likely)
        if rank == 0 or share >= _LEAST_SHOWN
    ]
    return ", ".join(told) or "–"


def evidence_lines(evidence: Sequence[Evidence], words: Mapping[str, Any]) -> list[str]:
    """Say the strongest reasons for and against metastasis, each with its sign.

    Parameters
    ----------
    evidence : sequence of Evidence
    words : mapping
        Section ``natures`` of the wording.

    Returns
    -------
    list of str
    """
    strongest: Iterable[Evidence] = sorted(evidence, key=lambda one: -abs(one.weight))[:_EVIDENCE_SHOWN]
    return [words["for" if one.weight > 0 else "against"].format(text=one.text) for one in strongest]
