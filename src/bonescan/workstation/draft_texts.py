"""What a physician may write into a report: entries it has, in a length and in signs that every program shows alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bonescan.workstation.refusal import Refusal

__all__ = ["is_text", "refuse_odd_language", "refuse_odd_words"]

_LONGEST_TEXT = 10_000
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def refuse_odd_words(words: Mapping[str, str]) -> None:
    """Refuse entries that a report has not, and texts that it cannot hold.

    Parameters
    ----------
    words : mapping of str to str
        By ``section.entry``.

    Raises
    ------
    Refusal
        422 ``text``.
    """
    from bonescan.report.physician import ENTRIES

    known = {f"{section}.{entry}" for section, entries in ENTRIES.items() for entry in entries}
    for key, text in words.items():
        if key not in known:
            raise Refusal(422, "text", f"A report has no entry of that name; there are {', '.join(sorted(known))}.")
        if len(text) > _LONGEST_TEXT:
            raise Refusal(422, "text", f"The entry {key} has more than {_LONGEST_TEXT} characters.")
        if not is_text(text):
            raise Refusal(422, "text", f"The entry {key} holds signs that are no text.")


def refuse_odd_language(language: str) -> None:
    """Refuse a language in which no report is written.

    Parameters
    ----------
    language : str

    Raises
    ------
    Refusal
        422 ``language``.
    """
    from bonescan.report.language import report_languages

    known = report_languages()
    if language not in known:
        raise Refusal(422, "language", f"Reports are written in {', '.join(known)}.")


def is_text(text: str) -> bool:
    """Whether a text is shown as it is kept, by whatever program.

    No control signs but line ends and tabs, no halves of signs, and none that turn the direction of writing, which some
    programs obey and others do not.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return _ODD.search(text) is None
