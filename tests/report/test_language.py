"""The report in every language: complete wording, every sentence of a reading known, the same numbers, no English."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tests.report.phantom import WINDOWS, concluded, phantom_reading, report_content

from bonescan.anatomy import BONES, REGION_NAMES
from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue
from bonescan.followup.comparing import METHOD as COMPARED
from bonescan.reading.conclusion.patterns import packaged_rules
from bonescan.reading.findings.sites import USUAL
from bonescan.reading.findings.traits import SITES
from bonescan.reading.interpret import LEARNED, METHOD
from bonescan.reading.model import Reading
from bonescan.reading.three_phase.explanations import phase_table
from bonescan.reading.three_phase.phases import METHOD as PHASES
from bonescan.report.language import SPOKEN, language, languages_of, report_languages, wording, words
from bonescan.report.pages import in_packaged_font
from bonescan.scan import ViewName

OTHERS = [code for code in report_languages() if code != "en"]
SAID = (Path(__file__).parent / "said.txt").read_text(encoding="utf-8").splitlines()
"""What the rooms that read say, one of each sentence with holes filled; a new sentence there belongs here too."""

OWN = {"said", "sides", "places", "parts"}
ENGLISH_ONLY = {"picture"}
# Words that no German, Spanish or Chinese sentence holds; names of files, formats and institutions are none of them.
ENGLISH = re.compile(
    r"\b(the|of|and|is|are|not|with|that|this|which|uptake|bone|rib|left|right|view|views|counts of|below|above|"
    r"likely|finding|findings|spine|kidney|foci|none|by|for|than|its|were)\b"
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a wording or a content, with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}.{at}")


def holes(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def numbers(text: str, decimal: str) -> list[float]:
    """All numbers of a text; a comma between digits is a decimal mark where the language has it so."""
    plain = text.replace("\u202f", "").replace("\u2212", "-")
    found = re.findall(rf"\d+(?:{re.escape(decimal)}\d+)?", plain)
    return sorted(float(number.replace(decimal, ".")) for number in found)


def test_there_are_four_languages() -> None:
    assert list(report_languages()) == ["en", "de", "es", "zh"]
    with pytest.raises(InvalidValue, match="no report in the language 'fr'; choose one of en"):
        language("fr")


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("stem", SPOKEN)
def test_every_language_has_every_key_with_the_same_holes(stem: str, code: str) -> None:
    assert code in languages_of(stem)
    told = wording(stem, code)
    own = dict(leaves({k: v for k, v in told.items() if k not in OWN}))
    only = ENGLISH_ONLY if stem == "words" else set()
    english = dict(leaves({k: v for k, v in wording(stem, "en").items() if k not in only}))
    assert set(own) == set(english)
    free = {".plate.marks"}  # what the letters in the pictures mean needs no saying in English
    assert not [path for path, text in own.items() if holes(text) != holes(english[path]) and path not in free]
    assert set(told["said"]) == set(wording(stem, "de")["said"])
    assert not [text for text in told["said"] if holes(text) != holes(told["said"][text])]


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_names_the_same_places(code: str) -> None:
    assert set(words(code)["places"]) == set(words("de")["places"])


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("stem", SPOKEN)
def test_no_english_is_left_in_the_wording(stem: str, code: str) -> None:
    own = {key: value for key, value in wording(stem, code).items() if key not in {"parts", "places", "sides"}}
    texts = [_without_names(text) for _, text in leaves(own) if "BodyParts3D" not in text]
    assert [text for text in texts if ENGLISH.search(text)] == []


def _without_names(text: str) -> str:
    """Without holes, options and what stands in brackets: titles of sources keep their language."""
    return re.sub(r"\{\w+\}|\(.*?\)|（.*?）|--\w+|triphasic bone scan|British Journal of Anaesthesia", "", text)


def test_the_packaged_font_has_every_chinese_letter_of_the_wording() -> None:
    # Witness: the fonts inside typst have the minus sign; every other letter must be in the packaged one.
    letters = {letter for stem in SPOKEN for _, text in leaves(dict(wording(stem, "zh"))) for letter in text} - {
        "\u2212"
    }
    assert [letter for letter in sorted(letters) if not in_packaged_font(letter)] == []


def said_by_patterns() -> Iterator[str]:
    """Every sentence of patterns.toml, filled as a scan might."""
    place = {"rib_fractures": "left", "paget": "left hip bone", "extravasation": "left arm"}
    for rule in packaged_rules():
        where = place.get(rule.code, "right")
        texts = [rule.name, rule.present, rule.possible, rule.limits, rule.source, rule.uncertainty, *rule.advice]
        texts += [says for clue in rule.clues for says in (clue.says_for, clue.says_against)]
        yield from (text.format(value=12.34, where=where) if "{" in text else text for text in texts if text)


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(list(said_by_patterns()), id="patterns"),
        pytest.param([*METHOD.values(), *LEARNED.values(), *COMPARED.values(), *PHASES.values()], id="methods"),
        pytest.param(
            [text for row in phase_table() for text in (*row.cannot_tell, *row.advice, row.source)], id="phases"
        ),
        pytest.param([f"It lies at {site}." for site in (*SITES.values(), *USUAL.values())], id="sites"),
        pytest.param(SAID, id="code"),
    ],
)
def test_every_sentence_of_a_reading_is_known_with_its_numbers(code: str, said: list[str]) -> None:
    tongue = language(code)
    told = {text: tongue.say(text) for text in said}
    assert not [text for text, own in told.items() if "[EN]" in own]
    assert not [own for text, own in told.items() if ENGLISH.search(_without_names(own))]
    words_for_numbers = re.compile(r"\b(?:one|two|three|half|mu)\b|[A-Z]\d+|\d+(?:st|nd|rd|th)", re.IGNORECASE)
    differing = [
        (text, own)
        for text, own in told.items()
        if not words_for_numbers.search(text)
        and numbers(text, ".") != numbers(own, tongue.words["decimal"])
        and "doi" not in text
        and not re.search(r"\d,\d", text)
    ]
    assert differing == []


EXEMPT = {
    "The view was taken as frame {value} {phrase} and frame {value2} {phrase2}, going by {raw}.",
    "no validated model is part of this version",  # what only readings of earlier versions say
    "It is a band across a vertebra.",
    # put together of short pieces
    "{count} clear focus whose nature was not estimated: {named}.",
    "{count} clear foci whose nature was not estimated: {named}.",
    "No finding suspicious of bone metastasis.",
    "No finding suspicious of bone metastasis, in what could be judged.",
    "uptake of the spine is even and that of paired bones alike",
    "The file does not give the administered activity.",
    "The file does not give the injection time.",
    "The file does not give the administered activity or the injection time.",
    "A file does not name the tracer.",
    "A file does not name the camera.",
    "A file does not name the collimator.",
    "The prior scan does not show its place.",
    "The current scan does not show its place.",
    "In the delayed phase bone has more of the difference than soft tissue.",
    "In the delayed phase soft tissue has more of the difference than bone.",
    "{value} other object(s) beside the scan were not bone scans and were left out.",
}


def test_the_sentences_that_are_known_are_those_the_code_writes() -> None:
    """Witness: the source itself; what is reworded there must be reworded in every language."""
    source = re.sub(r"\"\s*\n\s*f?\"", "", "\n".join(_sources()))
    lost = []
    for text in {text for stem in SPOKEN for text in wording(stem, "de")["said"]} - EXEMPT:
        parts = [part.strip(" .") for part in re.split(r"\{\w+\}|[;:,.(]|\b(?:left|right|other|focus|foci)\b", text)]
        long = [part for part in parts if part.count(" ") >= 2]
        lost += [text] if long and not any(part in source for part in long) else []
    assert lost == []


def _sources() -> Iterable[str]:
    for room, folders in (
        ("reading", ("", "conclusion", "findings", "measures", "skeleton", "three_phase", "data")),
        ("followup", ("",)),
        ("dicom", ("",)),
    ):
        for folder in folders:
            base = resources.files(f"bonescan.{room}")
            for path in (base.joinpath(folder) if folder else base).iterdir():
                if path.name.endswith((".py", ".toml")):
                    yield re.sub(r"\{[^{}\n]*\}", "{}", path.read_text(encoding="utf-8")).replace('\\"', '"')


@pytest.mark.parametrize("code", OTHERS)
def test_every_place_has_its_name(code: str) -> None:
    tongue = language(code)
    sides = ("left ", "right ")
    named = [bone.name for bone in BONES]
    named += [
        f"{side}{row['words']}" for row in rows("sites", "reading") if row["symmetry"] == "paired" for side in sides
    ]
    named += [row["words"] for row in rows("sites", "reading") if row["symmetry"] != "paired"]
    named += [f"left 7th rib, {part}" for part in ("lateral", "anterior", "posterior", "posterior, beside the spine")]
    named += ["T9 vertebra, left side", "left kidney or bone beside it", "urinary bladder", "right arm, injection site"]
    named += [f"{name}, {side}" for name in ("ribs", "pelvis", "femur") for side in ("left", "midline")]
    named += ["left thigh or leg, skin or clothing", "between the legs", "soft tissue", "right ureter"]
    assert not [name for name in named if tongue.place(name) == name and name != "atlas (C1)" and name != "axis (C2)"]
    assert not [name for name in REGION_NAMES.values() if name != "pelvis" and tongue.phrase(name) == name]


def test_places_read_as_people_write_them() -> None:
    # Witness: usual clinical German, Spanish and Chinese.
    assert language("de").place("right 7th rib, lateral") == "7. Rippe rechts, lateral"
    assert language("es").place("right 7th rib, lateral") == "7.ª costilla derecha, lateral"
    assert language("zh").place("right 7th rib, lateral") == "右第7肋外侧段"
    assert language("de").place("T9 vertebra") == "BWK 9"
    assert language("es").place("left iliac crest") == "cresta ilíaca izquierda"
    assert language("zh").place("L4 vertebra, right side") == "第4腰椎右侧"
    assert language("de").place("a place nobody knows") == "a place nobody knows"


def test_what_is_not_known_stays_english_and_is_marked() -> None:
    told = language("de").say("It is small. Nobody has ever said this.")
    assert told == "Er ist klein. [EN] Nobody has ever said this."
    assert language("en").say("Nobody has ever said this.") == "Nobody has ever said this."


def test_findings_are_named_with_their_letters_and_numbers() -> None:
    said = (
        "Indeterminate, metastasis not excluded: left 5th rib, anterior (B, metastasis 31 %, degeneration 52 %), "
        "atlas (C1) (C, metastasis 20 %) and 3 more."
    )
    assert language("de").say(said) == (
        "Unklar, Metastase nicht ausgeschlossen: 5. Rippe links, anterior (B, Metastase 31 %, Degeneration 52 %), "
        "Atlas (HWK 1) (C, Metastase 20 %) und 3 weitere."
    )


@pytest.mark.parametrize("code", OTHERS)
def test_the_report_says_the_same_numbers_in_every_language(code: str, reading: Reading) -> None:
    for one in (concluded(reading), phantom_reading(findings=0, views=(ViewName.POSTERIOR,))):
        english, own = report_content(one, WINDOWS), report_content(one, WINDOWS, code)
        decimal = words(code)["decimal"]
        for (path, text), (_, said) in zip(leaves(english), leaves(own), strict=True):
            if path.startswith((".method", ".credits", ".language", ".plate.caption")) or "[EN]" in said:
                continue
            told = re.sub(r"\b([CTL])(?=\d)|(\d)(?:st|nd|rd|th)\b", r"\2", text)
            assert numbers(told, ".") == numbers(said, decimal), (path, text, said)


def test_decimals_have_the_mark_of_the_language(reading: Reading) -> None:
    shown = {code: report_content(reading, WINDOWS, code)["bone"]["rows"][0]["cells"] for code in report_languages()}
    assert [shown[code][2] for code in ("en", "de", "es", "zh")] == ["4.1 ×", "4,1 ×", "4,1 ×", "4.1 ×"]


def test_another_language_is_only_a_file() -> None:
    """Witness: this package's source, in which no language but English is named beside its files and helps."""
    base = resources.files("bonescan.report")
    code = [path for path in base.iterdir() if path.name.endswith(".py")]
    assert not [path.name for path in code if re.search(r"[\"'](?:de|es|zh)[\"']", path.read_text(encoding="utf-8"))]
    assert tomllib.loads(base.joinpath("words.de.toml").read_text(encoding="utf-8"))["language"] == "de"
    assert replace(language("de"), code="en").say("It is small.") == "It is small."
