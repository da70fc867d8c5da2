from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from importlib import resources

import pytest
from tests.report.reading_ease import CHINESE_LEVEL_1, MEASURES, sentences

from bonescan.errors import InvalidValue
from bonescan.report.leaflet import leaflet_languages, leaflet_words

OTHERS = [language for language in leaflet_languages() if language != "en"]
CANCER = {
    "en": "cancer|metasta|tumou?r|malign|carcino",
    "de": "krebs|metasta|tumor|bösartig|karzin",
    "es": "cáncer|metást|tumor|malign|carcino",
    "zh": "癌|转移|肿瘤|恶性",
}


def texts(value: object, at: str = "") -> dict[str, str]:
    """Every string of a wording file by its place in it."""
    if isinstance(value, str):
        return {at: value}
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {place: text for key, item in items for place, text in texts(item, f"{at}/{key}").items()}


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_there_are_the_four_languages_and_english_is_first():
    assert list(leaflet_languages()) == ["en", "de", "es", "zh"]
    assert leaflet_languages()["zh"] == "中文"


def test_a_language_that_is_not_there_is_refused_and_the_others_are_named():
    with pytest.raises(InvalidValue, match=r"'fr'; choose one of en \(English\), de \(Deutsch\)"):
        leaflet_words("fr")


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_every_placeholder_and_nothing_left_in_english(language):
    english, other = texts(leaflet_words("en")), texts(leaflet_words(language))
    assert list(other) == list(english)  # the same keys and as many points, in the same order
    assert {place: placeholders(text) for place, text in other.items()} == {
        place: placeholders(text) for place, text in english.items()
    }
    same = {place for place, text in other.items() if text == english[place] and re.search("[a-zA-Z]{2}", text)}
    assert {english[place] for place in same} <= {
        "Tracer",
        "April",
        "August",
        "September",
        "November",
        "CT",
    }


@pytest.mark.parametrize("language", leaflet_languages())
def test_only_the_signed_conclusion_of_metastases_says_cancer(language):
    said = {place for place, text in texts(leaflet_words(language)).items() if re.search(CANCER[language], text, re.I)}
    assert said
    assert all("metastases" in place for place in said)


@pytest.mark.parametrize("language", leaflet_languages())
def test_a_reader_of_grade_eight_understands_every_sentence(language):
    words = leaflet_words(language)
    shown = [text for place, text in texts({key: words[key] for key in ("before", "after", "disclaimer")}).items()
             if not re.search("credit|/note$|signed", place)]  # fmt: skip
    shown += [f"{term}: {meaning}" for term, meaning in words["glossary"]["before"]]
    measured = MEASURES[language](sentences(shown))
    assert measured.grade <= 8
    assert measured.longest_sentence <= (20 if language != "zh" else 30)


def test_the_measures_know_easy_from_hard():
    # by hand: 6 words of 6 syllables in 1 sentence
    assert MEASURES["en"](["The cat sat on the mat."]).grade == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    # by hand: 5 words, none of three syllables, none of more than six letters, three of one syllable
    assert MEASURES["de"](["Der Hund bellt vor Freude."]).grade == pytest.approx(0.1672 * 5 - 0.0327 * 80 - 0.875)
    # by hand: 5 words of 7 syllables
    assert MEASURES["es"](["La casa es muy grande."]).grade == pytest.approx(
        6 + 2 * (80 - (206.835 - 62.3 * 7 / 5 - 5)) / 15
    )
    hard = {
        "en": "Careful consideration of the activity to be administered is required since an increased radiation "
        "exposure is possible in these patients.",
        "de": "Die Strahlenexposition durch die Untersuchung ist unter Berücksichtigung der diagnostischen "
        "Notwendigkeit und alternativer Untersuchungsverfahren sorgfältig abzuwägen.",
        "es": "La administración intravenosa del radiofármaco requiere una consideración individualizada de la "
        "actividad inyectada debido a la exposición a radiaciones ionizantes.",
        "zh": "对于肾功能不全的患者应当根据其临床适应证以及预期的诊断获益与辐射风险之间的权衡"
        "审慎决定放射性药物的给药活度",
    }
    for language, sentence in hard.items():
        assert MEASURES[language]([sentence]).grade > 11


def test_chinese_keeps_to_the_characters_that_school_teaches_first():
    # the first level of GB 2312 holds the 3,755 characters in commonest use; nine years of school teach 3,500
    shown = "".join(texts(leaflet_words("zh")).values())
    rare = {letter for letter in shown if "一" <= letter <= "鿿" and letter not in CHINESE_LEVEL_1}
    assert rare <= set("髋胛伽")  # hip, shoulder blade, gamma: there is no other word for them


def test_a_wording_file_names_its_own_language():
    for language in leaflet_languages():
        text = resources.files("bonescan.report").joinpath(f"leaflet.{language}.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)["language"] == language
