from __future__ import annotations

import re
from datetime import datetime
from unicodedata import east_asian_width

import pytest
from tests.report.reading_ease import MEASURES, sentences

from bonescan.report.leaflet import LEAFLET_FORMS, leaflet_languages, leaflet_text
from bonescan.report.leaflet_before import before_content
from bonescan.report.sheets import plan_sheet
from bonescan.tracer import Plan, Referral, plan_study

INJECT_AT = datetime(2026, 3, 4, 13, 15)
PEOPLE = {
    "man": Referral(mass_kg=84, age_years=71, sex="male"),
    "mother": Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True),
    "child": Referral(mass_kg=20, age_years=5, sex="female"),
    "pregnant on dialysis": Referral(mass_kg=70, age_years=35, sex="female", pregnant=True, dialysis=True),
}
LANGUAGES = list(leaflet_languages())


def before_files(plan, language="en"):
    return {f"plan_patient.{form}": plan_sheet(plan, f"plan_patient.{form}", language) for form in LEAFLET_FORMS}


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {name: plan_study(referral, inject_at=INJECT_AT) for name, referral in PEOPLE.items()}


def told(content: dict) -> list[str]:
    """Every sentence of a leaflet's blocks."""
    texts = [content["banner"]]
    for block in content["blocks"]:
        texts += [*block.get("text", ()), *block.get("list", ()), *(text for _, text, _ in block.get("rows", ()))]
        texts += [f"{term}: {meaning}" for term, meaning in block.get("terms", ())]
    return sentences(texts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("person", PEOPLE)
def test_what_one_person_reads_is_as_easy_as_the_wording(plans, person, language):
    parts = told(before_content(plans[person], language))
    assert len(parts) > 40
    assert MEASURES[language](parts).grade <= 8
    for hard in ("mbq", "msv", "becquerel", "sievert", "effective"):
        assert hard not in " ".join(parts).lower()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("person", PEOPLE)
def test_every_language_tells_the_same_times_and_the_same_dose(plans, person, language):
    def figures(code: str) -> set[str]:
        return set(re.findall(r"\d\d:\d\d|\d{2,}", leaflet_text(before_content(plans[person], code))))

    year_and_days = {"2026", "04", "05", "03"}
    assert figures(language) - year_and_days <= figures("en") | {"11", "12"}
    assert {figure for figure in figures("en") if ":" in figure} == {f for f in figures(language) if ":" in f}
    days = plans[person].background_days.value
    assert days is None or f"{float(f'{days:.2g}'):g}" in leaflet_text(before_content(plans[person], language))


def test_no_placeholder_is_left_and_the_order_is_that_of_the_day(plans):
    for language in LANGUAGES:
        content = before_content(plans["mother"], language)
        assert "{" not in leaflet_text(content)
        assert [block["kind"] for block in content["blocks"]][:3] == ["section", "times", "section"]
        assert content["blocks"][-2]["kind"] == "glossary"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_leaflet_is_accessible_dated_and_the_same_again(plans, language):
    files = before_files(plans["man"], language)
    assert sorted(files) == ["plan_patient.html", "plan_patient.pdf", "plan_patient.txt"]
    assert b"pdfuaid:part>1" in files["plan_patient.pdf"]
    assert b"pdfaid:part>2" in files["plan_patient.pdf"]
    assert b"2026-03-04T13:15:00" in files["plan_patient.pdf"]
    assert b"U+" not in files["plan_patient.txt"]
    page = files["plan_patient.html"].decode()
    assert f'<html lang="{language}">' in page
    assert not re.search(r"(?:src|href)=|<script|https?://(?!www\.w3\.org/2000/svg)", page)  # self-contained
    assert before_files(plans["man"], language) == files


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_letters_reaches_the_enhanced_contrast_on_every_ground(plans):
    page = before_files(plans["man"])["plan_patient.html"].decode()
    colours = dict(re.findall(r"--(\w+): (#\w{6})", page))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for letters in ("ink", "soft", "blue"):
        for ground in ("#ffffff", colours["wash"]):
            assert contrast(colours[letters], ground) >= 7  # WCAG 2.2, 1.4.6


def test_a_chinese_line_is_no_wider_than_another_and_begins_with_no_closing_mark(plans):
    for person in PEOPLE:
        for line in leaflet_text(before_content(plans[person], "zh")).splitlines():
            assert sum(1 + (east_asian_width(letter) in "WF") for letter in line) <= 92
            assert not re.match(r"\s*[，。？！；：、）”]", line)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("person", PEOPLE)
def test_three_pages_are_enough(plans, person, language):
    pdf = before_files(plans[person], language)["plan_patient.pdf"]
    assert re.findall(rb"/Type/Pages/Count (\d+)", pdf) == [b"3"]
