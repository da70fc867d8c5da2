"""The report's languages: its own wording by key, and what a reading says by the English it is said in.

A language is a file ``words.<code>.toml`` with the keys of ``words.en.toml``. A reading says its sentences in English,
and so keeps them for ever: its ``reading.json`` of last year can be reported in a language of next year. Every other
file therefore also holds ``[said]``, which gives each English sentence with holes in braces its translation, and the
names of places. A sentence is known again by those templates; what stands in a hole is a number, a place, a
fixed phrase or another sentence, and is translated in turn. A sentence that no template knows stays English and is
marked so: nothing is lost, nothing is guessed.

The holes, told by their names (a digit behind a name tells two of a kind apart): ``{text}`` sentences, ``{clause}`` a
sentence that begins small or lacks its full stop, ``{phrase}`` a phrase of ``[said]`` or several apart by commas or
semicolons, ``{place}`` a place, ``{named}`` findings with their letters, ``{count}`` a number that may be a word,
``{raw}`` anything within a sentence, kept; every other name is a number.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import chain
from types import MappingProxyType
from typing import Any

from bonescan.errors import InvalidValue

__all__ = ["SPOKEN", "Language", "language", "languages_of", "report_languages", "wording", "words"]

SPOKEN = ("words", "comparison", "phases")
"""Stems of the wordings that every language of the report has: of the report, of comparisons, of three phases."""

_HOLE = re.compile(r"\{(\w+)\}")
_NUMBER = r"[-+\u2212]?\d[\d,]*(?:\.\d+)?(?:e[-+\u2212]?\d+)?|nan"
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNT = "|".join((*_COUNTS, r"\d+"))
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)")
_NAMED = re.compile(
    r"(?P<place>\S.*?) \((?P<letter>[A-Z]{1,3})(?P<more>(?:, [^()]*)?)\)(?:, (?=\S)|(?: and (?P<rest>\d+) more)?$)"
)
_SIDED = re.compile(r"^(?P<before>.*?\bof )?(?P<side>left|right) (?P<name>.+)$", re.IGNORECASE)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)?")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """One language of the report.

    Parameters
    ----------
    code : str
        ISO 639-1.
    words : mapping
        The report's wording by key, as in the file.
    """

    code: str
    words: Mapping[str, Any]

    def say(self, text: str) -> str:
        """Translate sentences of a reading; what is not known stays English and is marked."""
        if self.code == "en" or not text.strip():
            return text
        pieces = _SENTENCE_END.split(text.strip())
        said, at = [], 0
        while at < len(pieces):
            for end in range(len(pieces), at, -1):
                known = _known(self.code, " ".join(pieces[at:end]))
                if known is not None:
                    said.append(known)
                    at = end
                    break
            else:
                said.append(str(self.words["untranslated"]).replace("{text}", pieces[at]))
                at += 1
        return str(self.words["space"]).join(said)

    def phrase(self, text: str) -> str:
        """Translate a name or a part of a sentence; an unknown one stays."""
        return text if self.code == "en" else _phrase(self.code, text) or text

    def place(self, text: str) -> str:
        """Translate a place, such as ``"right 7th rib, lateral"``; an unknown one stays."""
        return text if self.code == "en" else _place(self.code, text) or text


def report_languages() -> dict[str, str]:
    """Say which languages the report is written in.

    Returns
    -------
    dict of str to str
        Code of ISO 639-1 to the language's own name, English first.
    """
    return {code: str(wording("words", code)["name"]) for code in languages_of("words")}


def languages_of(stem: str) -> list[str]:
    """List the languages in which a wording is packaged.

    Parameters
    ----------
    stem : str
        Of the files ``<stem>.<code>.toml``.

    Returns
    -------
    list of str
        Codes of ISO 639-1, English first.
    """
    names = [place.name.split(".") for place in resources.files("bonescan.report").iterdir()]
    codes = [name[1] for name in names if len(name) == 3 and name[0] == stem and name[2] == "toml"]
    return sorted(codes, key=lambda code: (code != "en", code))


def language(code: str) -> Language:
    """Return one language of the report.

    Parameters
    ----------
    code : str
        ISO 639-1.

    Returns
    -------
    Language

    Raises
    ------
    InvalidValue
        When the report is not written in it.
    """
    known = report_languages()
    if code not in known:
        listed = ", ".join(f"{one} ({name})" for one, name in known.items())
        raise InvalidValue(
            f"There is no report in the language {code!r}; choose one of {listed}.", got=code, expected=tuple(known)
        )
    return Language(code=code, words=wording("words", code))


def words(code: str = "en") -> Mapping[str, Any]:
    """Return the report's wording by key, ``words.<code>.toml``.

    Parameters
    ----------
    code : str, optional
        ISO 639-1.

    Returns
    -------
    mapping
        Sections of sentences, as in the file.
    """
    return language(code).words


@cache
def wording(stem: str, code: str) -> Mapping[str, Any]:
    """Read a packaged wording.

    Parameters
    ----------
    stem, code : str
        Of the file ``<stem>.<code>.toml``.

    Returns
    -------
    mapping
    """
    text = resources.files("bonescan.report").joinpath(f"{stem}.{code}.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Template:
    """An English sentence with holes, and the same in another language."""

    pattern: re.Pattern[str]
    said: str


@cache
def _templates(code: str) -> tuple[Mapping[str, str], Mapping[str, tuple[_Template, ...]]]:
    """Sentences without holes, and those with holes by their first letter; under "" those that begin with a hole."""
    fixed: dict[str, str] = {}
    holed: dict[str, list[_Template]] = {}
    pairs = chain.from_iterable(wording(stem, code).get("said", {}).items() for stem in SPOKEN)
    for english, said in pairs:
        if not _HOLE.search(english):
            fixed[english] = said
            continue
        first = "" if english.startswith("{") else english[0]
        holed.setdefault(first, []).append(_Template(pattern=_pattern(english), said=said))
    # the longest first: it says most of the sentence itself
    return fixed, {
        first: tuple(sorted(templates, key=lambda one: -len(one.pattern.pattern))) for first, templates in holed.items()
    }


def _pattern(english: str) -> re.Pattern[str]:
    parts = _HOLE.split(english)
    for at in range(0, len(parts), 2):
        parts[at] = re.escape(parts[at])
    for at in range(1, len(parts), 2):
        kind = _kind(parts[at])
        within = {"count": f"(?i:{_COUNT})", "number": _NUMBER, "raw": r"(?:(?![.!?]\s+[A-Z]).)+?"}.get(kind, ".+?")
        parts[at] = f"(?P<{parts[at]}>{within})"
    return re.compile("".join(parts), re.DOTALL)


def _kind(hole: str) -> str:
    kind = hole.rstrip("0123456789")
    return kind if kind in _FILLED else "number"


@lru_cache(maxsize=4096)
def _known(code: str, text: str) -> str | None:
    """The translation of what one template says, or none."""
    fixed, holed = _templates(code)
    if text in fixed:
        return fixed[text]
    for template in (*holed.get(text[:1], ()), *holed.get("", ())):
        match = template.pattern.fullmatch(text)
        if match is None:
            continue
        filled = {hole: _FILLED[_kind(hole)](code, held) for hole, held in match.groupdict().items()}
        if None not in filled.values():
            return template.said.format(**filled)
    return None


def _clause(code: str, text: str) -> str:
    """A sentence that began small, or lost its full stop, within another."""
    for whole in (text, f"{text[:1].upper()}{text[1:]}", f"{text[:1].upper()}{text[1:]}."):
        known = _known(code, whole)
        if known is not None:
            return known.rstrip(str(wording("words", code)["stop"]).strip())
    return _text(code, text)


def _number(code: str, text: str) -> str:
    return text.replace(",", "\u202f").replace(".", str(wording("words", code)["decimal"]))


def _count(code: str, text: str) -> str:
    return str(_COUNTS.index(text.lower())) if text.lower() in _COUNTS else text


def _text(code: str, text: str) -> str:
    return Language(code=code, words=wording("words", code)).say(text)


def _phrase(code: str, text: str) -> str | None:
    """One phrase, or several apart by semicolons or commas, the last perhaps by "and"."""
    fixed = _templates(code)[0]
    for whole in (text, text[:1].lower() + text[1:]):
        known = fixed.get(whole) or _known(code, whole)
        if known is not None:
            return _as_begun(known, text)
    for sign, joint in (("; ", "clause_joint"), (", ", "joint"), (" and ", "and")):
        if sign in text:
            parts = [_phrase(code, part) for part in text.split(sign)]
            if None not in parts:
                return _as_begun(str(wording("words", code)[joint]).join(part for part in parts if part), text)
    return None


def _as_begun(said: str, text: str) -> str:
    """Begin with a capital where the English does."""
    return said[:1].upper() + said[1:] if text[:1].isupper() else said


def _place(code: str, text: str) -> str | None:
    """Bone or organ, its side, and the part of it that stands behind a comma."""
    words = wording("words", code)
    if text.endswith(" or bone beside it"):
        held = _place(code, text.removesuffix(" or bone beside it"))
        return None if held is None else str(words["place_or_beside"]).replace("{place}", held)
    name, *parts = text.split(", ")
    told = [_bone(words, name), *(_part(words, part) for part in parts)]
    if None in told:
        return None
    return str(words["place_joint"]).join(one for one in told if one)


def _bone(words: Mapping[str, Any], name: str) -> str | None:
    sides, side = words["sides"], "midline"
    if name in sides:
        return str(sides[name]["alone"])
    match = _SIDED.match(name)
    if match:
        side, name = match["side"].lower(), (match["before"] or "") + match["name"]
    number = _ORDINAL.search(name)
    key = _ORDINAL.sub("{n}", name, count=1)
    form = words["places"].get(key) or words["places"].get(key[:1].lower() + key[1:])
    if form is None:
        return None
    n = re.sub(r"\D", "", number.group()) if number else ""
    return re.sub(r"\s+", " ", form.format(n=n, **sides[side])).strip()


def _part(words: Mapping[str, Any], part: str) -> str | None:
    if part in words["sides"]:
        return str(words["sides"][part]["alone"])
    said = words["parts"].get(part)
    return None if said is None else str(said)


def _named(code: str, text: str) -> str | None:
    """Findings as a sentence names them: place, letter, and what else stands in the brackets; the rest counted."""
    words, told, at = wording("words", code), [], 0
    for match in _NAMED.finditer(text):
        if match.start() != at:
            return None
        at = match.end()
        place = _place(code, match["place"]) or match["place"]
        inside = [match["letter"]]
        for part in match["more"].removeprefix(", ").split(", ") if match["more"] else ():
            inside.append(_known(code, part) or part)
        told.append(str(words["named"]).format(place=place, inside=str(words["fact_joint"]).join(inside)))
        if match["rest"]:
            return str(words["joint"]).join(told) + str(words["and_more"]).format(count=match["rest"])
    return str(words["joint"]).join(told) if told and at == len(text) else None


_FILLED: Mapping[str, Callable[[str, str], str | None]] = MappingProxyType(
    {
        "number": _number,
        "count": _count,
        "text": _text,
        "clause": _clause,
        "phrase": _phrase,
        "place": lambda code, text: _place(code, text) or text,
        "named": _named,
        "raw": lambda code, text: text,
    }
)
