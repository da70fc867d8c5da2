"""The patient's leaflets: their wording in every language, and how content becomes text, HTML and PDF.

Before the scan `bonescan.report.leaflet_before` fills them from a plan, after it `bonescan.report.leaflet_after`
from what a physician has signed. A language is a file ``leaflet.<code>.toml``;
beside it only the help of ``--language`` names it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

from bonescan.errors import InvalidValue
from bonescan.report.figures import HIDDEN
from bonescan.report.language import languages_of, wording
from bonescan.report.pages import in_packaged_font, packaged_fonts, page_template, set_pages
from bonescan.report.plain_text import wrapped

__all__ = [
    "LEAFLET_FORMS",
    "leaflet_file",
    "leaflet_files",
    "leaflet_languages",
    "leaflet_text",
    "leaflet_words",
    "not_in_font",
    "plain_date",
    "plain_time",
    "section",
]

LEAFLET_FORMS = ("pdf", "html", "txt")
"""What every leaflet is made as."""

_HIDDEN = HIDDEN | dict.fromkeys(range(0x200B, 0x2010), " ")  # nor anything of no width: it has no letter in a font


def leaflet_languages() -> dict[str, str]:
    """Say which languages the leaflets are written in.

    Returns
    -------
    dict of str to str
        Code of ISO 639-1 to the language's own name, English first.
    """
    return {code: str(wording("leaflet", code)["name"]) for code in languages_of("leaflet")}


def leaflet_words(language: str) -> Mapping[str, Any]:
    """Return the wording of the leaflets in one language.

    Parameters
    ----------
    language : str
        Code of ISO 639-1.

    Returns
    -------
    mapping

    Raises
    ------
    InvalidValue
        When there is no such language.
    """
    known = leaflet_languages()
    if language not in known:
        listed = ", ".join(f"{code} ({name})" for code, name in known.items())
        raise InvalidValue(
            f"There is no leaflet in the language {language!r}; choose one of {listed}.",
            got=language,
            expected=tuple(known),
        )
    return wording("leaflet", language)


def _packaged(name: str) -> str:
    return resources.files("bonescan.report").joinpath(name).read_text(encoding="utf-8")


def plain_date(when: date, words: Mapping[str, Any]) -> str:
    """Write a day as people say it.

    Parameters
    ----------
    when : date or datetime
    words : mapping
        Of `leaflet_words`.

    Returns
    -------
    str

    Examples
    --------
    >>> plain_date(date(2026, 3, 4), leaflet_words("en"))
    'Wednesday 4 March 2026'
    """
    return str(words["date"].format(**_day(when, words)))


def plain_time(when: datetime, start: datetime, words: Mapping[str, Any]) -> str:
    """Write a clock time, with its day where that is not the first one.

    Parameters
    ----------
    when, start : datetime
    words : mapping
        Of `leaflet_words`.

    Returns
    -------
    str

    Examples
    --------
    >>> plain_time(datetime(2026, 3, 5, 9), datetime(2026, 3, 4, 9), leaflet_words("en"))
    '09:00 the next day'
    """
    clock, days = when.strftime("%H:%M"), (when.date() - start.date()).days
    if days == 0:
        return clock
    return str(words["next_day" if days == 1 else "other_day"].format(time=clock, **_day(when, words)))


def _day(when: date, words: Mapping[str, Any]) -> dict[str, object]:
    return {
        "weekday": words["weekdays"][when.weekday()],
        "day": when.day,
        "month": words["months"][when.month - 1],
        "year": when.year,
    }


def section(
    words: Mapping[str, Any], *text: str, points: tuple[str, ...] = (), important: bool = False
) -> dict[str, Any]:
    """Make one part of a leaflet: heading, paragraphs, points.

    Parameters
    ----------
    words : mapping
        Has the ``heading``.
    *text : str
        Paragraphs, after the points.
    points : tuple of str
    important : bool
        Whether it stands in a frame.

    Returns
    -------
    dict
    """
    return {
        "kind": "section",
        "heading": words["heading"],
        "text": list(text),
        "list": list(points),
        "important": important,
    }


def leaflet_files(content: Mapping[str, Any], dated: datetime) -> dict[str, bytes]:
    """Make a leaflet as PDF, as one self-contained HTML file and as text.

    Parameters
    ----------
    content : mapping
        Of `bonescan.report.leaflet_before.before_content` or `bonescan.report.leaflet_after.after_content`.
    dated : datetime
        Date of the PDF; no clock is asked.

    Returns
    -------
    dict of str to bytes
        By form, as in `LEAFLET_FORMS`. The same content gives the same bytes.
    """
    return {form: leaflet_file(content, form, dated) for form in LEAFLET_FORMS}


def leaflet_file(content: Mapping[str, Any], form: str, dated: datetime) -> bytes:
    """Make a leaflet in one form alone.

    Parameters
    ----------
    content : mapping
        As for `leaflet_files`.
    form : str
        One of `LEAFLET_FORMS`.
    dated : datetime

    Returns
    -------
    bytes
    """
    if form == "txt":
        return leaflet_text(content).encode("utf-8", "replace")
    shown = {**content, "icons": {name: _icon(path) for name, path in _icons().items()}}
    if form == "html":
        return page_template("leaflet.html.j2").render(c=shown).encode("utf-8", "replace")
    # a name in letters that no font of ours has is left to be written by hand, and the sheet says so
    unprintable = bool(not_in_font(content["name"], name=True))
    printed = {**shown, "name": ""} if unprintable else {**shown, "by_hand": ""}
    main = {"main.typ": _packaged("leaflet.typ").encode("utf-8")}
    return set_pages(main, _settable(printed), dated, fonts=(packaged_fonts(),))


def leaflet_text(content: Mapping[str, Any]) -> str:
    """Write a leaflet as plain text.

    Parameters
    ----------
    content : mapping
        As for `leaflet_files`.

    Returns
    -------
    str
        Lines of at most 92 columns; a Chinese character is two.
    """
    wide = content["wide_letters"]
    colon, named = content["colon"], content["name"] or "_" * 30
    lines = [f"{content['title']} - {content['subtitle']}", f"{content['label']}{colon}{named}"]
    lines += [f"{content['questions']} {'_' * 30}"]
    lines += [content["signed"]] if content["signed"] else []
    for block in content["blocks"]:
        lines += ["", block["heading"].upper()]
        for time, text, _ in block.get("rows", ()):
            lines += [time, *wrapped(text, "    ", "    ", wide=wide)]
        for term, meaning in block.get("terms", ()):
            lines += wrapped(f"{term}{colon}{meaning}", "- ", "  ", wide=wide)
        for point in block.get("list", ()):
            lines += wrapped(point, "- ", "  ", wide=wide)
        for number, place in block.get("places", ()):
            lines += wrapped(place, f"{number}. ", "   ", wide=wide)
        for text in block.get("text", ()):
            lines += wrapped(text, wide=wide)
    lines += ["", *wrapped(content["banner"], wide=wide)]
    return "\n".join(lines) + "\n"


def _settable(value: Any) -> Any:
    """Take out what is never shown, and write what the leaflet's fonts lack as a question mark."""
    if isinstance(value, str):
        shown = value.translate(_HIDDEN)
        return "".join(one if in_packaged_font(one) or _in_name_fonts(one) else "?" for one in shown)
    if isinstance(value, Mapping):
        return {key: item if key == "svg" else _settable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settable(item) for item in value]
    return value


def not_in_font(text: str, *, name: bool = False) -> list[str]:
    """Find what the PDF cannot show.

    Parameters
    ----------
    text : str
    name : bool
        Whether it is a person's name: names are set in Arabic and Hebrew too, sentences are not.

    Returns
    -------
    list of str
        Words with such letters.
    """
    return [
        word
        for word in text.translate(_HIDDEN).split()
        if not all(in_packaged_font(letter) or (name and _in_name_fonts(letter)) for letter in word)
    ]


def _in_name_fonts(letter: str) -> bool:
    number = ord(letter)
    return 0x600 <= number < 0x700 or 0x750 <= number < 0x780 or 0x591 <= number < 0x5C8 or 0x5D0 <= number < 0x5EB


@cache
def _icons() -> Mapping[str, str]:
    return tomllib.loads(_packaged("leaflet_icons.toml"))


def _icon(path: str) -> dict[str, str]:
    return {
        "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" '
        f'stroke="#14466e" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>'
    }
