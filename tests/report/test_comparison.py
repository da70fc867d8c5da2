"""The pages on a comparison: the record holds to its schema, and what half a minute needs stands on the first page."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import date

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.report.pair import change, compared, drawn_series, number, study

from bonescan.followup.model import ChangeKind, Comparability, Trend
from bonescan.followup.series import Series, follow
from bonescan.reading.model import Verdict
from bonescan.report.comparison import comparison_content, render_comparison
from bonescan.report.comparison_pictures import LESION_COLOURS, draw_pair, draw_timeline, lesion_style, windows_of
from bonescan.report.comparison_record import comparison_record, comparison_schema
from bonescan.report.language import language
from bonescan.scan import PatientFacts

WORDS = {"anterior": "A", "posterior": "P", "right": "R", "left": "L", "prior": "{date}", "current": "{date}",
         "undated": "?", "changes": "C", "more": "m", "less": "l", "deviations": "d"}  # fmt: skip


@pytest.fixture(scope="module")
def series() -> Series:
    """A baseline with four lesions, two more, one of these gone again."""
    return drawn_series(8, 10, 9)


@pytest.fixture(scope="module")
def files(series: Series) -> dict[str, bytes]:
    return render_comparison(series)


def content_of(series: Series) -> dict:
    return comparison_content(series, language("en"))


def cards(series: Series) -> list[dict[str, str]]:
    return content_of(series)["summary"]["cards"]


def test_the_record_holds_to_the_published_schema(files):
    schema = comparison_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    record = json.loads(files["comparison.json"])
    jsonschema.validate(record, schema)
    assert [scan["progression"]["state"] for scan in record["scans"]] == [
        "baseline", ">=2_new_unconfirmed", "flare_then_stable",
    ]  # fmt: skip
    assert len(record["latest"]["lesions"]) == 6
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "diagnosis": "x"}, schema)


def test_the_first_card_counts_what_changed_and_names_what_is_new():
    changed = cards(drawn_series(8, 10))[0]
    assert changed["value"] == "2 new lesions, 4 unchanged"
    assert re.match(r"New: E .+, F .+\.$", changed["note"])
    assert changed["tone"] == "bad"
    assert cards(drawn_series(8, 8))[0]["value"] == "No new lesion, 4 unchanged"


def test_a_vanished_lesion_is_told_without_any_praise(series):
    changed = cards(series)[0]
    assert changed["value"] == "No new lesion, 5 unchanged, 1 no longer seen"
    assert "no proof that treatment helps" in changed["note"]


def test_words_of_benefit_stand_nowhere(files):
    page = re.sub(r"data:[^\"]+", "", files["comparison.html"].decode()).lower()
    assert not re.search(r"\b(improv|better|good news|success|responding|remission)", page)


def test_the_rules_stand_on_the_page_with_their_next_step_and_source(files):
    page = files["comparison.html"].decode()
    assert "by the rule that was flare" in page
    assert "Scan again" in page
    assert "10.1200/JCO.2015.64.2702" in page
    assert "The bone scan tells progression only, never response." in page


@pytest.mark.parametrize(("verdict", "said"), [(Verdict.PASS, "Yes"), (Verdict.WARN, "With reserve"),
                                               (Verdict.WITHHOLD, "NO: burden withheld")])  # fmt: skip
def test_whether_it_can_be_compared_is_said_at_a_glance(verdict, said):
    def graded(prior, current):
        comparison = compared(prior, current)
        checks = tuple(replace(check, verdict=verdict) for check in comparison.comparability.checks)
        return replace(comparison, comparability=Comparability(checks=checks))

    series = follow([study(8, date(2021, 1, 4)), study(8, date(2021, 3, 15))], graded)
    comparable, index, area = cards(series)[2:]
    assert comparable["value"] == said
    withheld = verdict is Verdict.WITHHOLD
    assert (index["value"] == "not given") is withheld
    assert (area["value"] == "not judged") is withheld


def test_the_page_is_whole_and_loads_nothing(files):
    page = files["comparison.html"].decode()
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page.count("<img") == page.count(" alt=") == 4  # side by side, film, changes, course


def test_names_from_a_file_are_escaped():
    evil = PatientFacts(name="<script>alert(1)</script>^\u202eJane", patient_id="<b>&", sex="F")
    days = date(2021, 1, 4), date(2021, 3, 15)
    page = render_comparison(follow([study(6, day, patient=evil) for day in days], compared))[
        "comparison.html"
    ].decode()
    assert "<script" not in page
    assert "<b>" not in page
    assert "\u202e" not in page


def test_the_pdf_is_archivable_and_dated_with_the_scan(files):
    pdf = files["comparison.pdf"]
    assert pdf.startswith(b"%PDF-")
    assert b"2021-05-17" in pdf or b"20210517" in pdf


def test_the_same_series_gives_the_same_record(series, files):
    again = comparison_record(series)
    assert json.loads(files["comparison.json"]) == json.loads(json.dumps(again))


def red_pixels(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    return int((np.asarray(picture.crop(box)) == LESION_COLOURS["new"]).all(axis=2).sum())


def test_a_new_lesion_is_red_in_the_current_scan_and_unmarked_in_the_prior_one():
    series = drawn_series(8, 10)
    plate = draw_pair(series.latest, series.letters, WORDS)
    quarter = plate.width // 4  # prior and current of each view, of one width for the same doll
    reds = [red_pixels(plate, (k * quarter, 100, (k + 1) * quarter, plate.height)) for k in range(4)]
    assert reds[0] == reds[2] == 0
    assert min(reds[1], reds[3]) > 300  # a filled letter box alone has more


def test_one_scale_means_the_same_grey_for_the_same_normal_bone():
    comparison = drawn_series(8, 10).latest
    doubled = replace(
        comparison, difference=tuple(replace(one, scale=2.0) for one in comparison.difference)
    )  # the current scan has twice the counts of the same bone
    view, labelled = comparison.current.reading.labels.paired_with(comparison.current.scan)[0]
    prior, current = windows_of(doubled, view, labelled)
    counts = np.linspace(0, 50, 9, dtype=np.float32)
    assert np.allclose(prior.grey(counts), current.grey(2 * counts), atol=1e-3)


def test_the_film_shows_both_scans_in_turn(files):
    film = Image.open(io.BytesIO(files["comparison_blink.gif"]))
    assert film.n_frames == 2
    assert film.info["duration"] > 340  # slower than three flashes a second (WCAG 2.3.1)
    first = np.asarray(film.convert("L")).copy()
    film.seek(1)
    assert (first != np.asarray(film.convert("L"))).mean() > 0.01


def test_an_undated_scan_is_compared_but_has_no_course():
    first, second = study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15))
    undated = replace(
        second,
        on=None,
        reading=replace(second.reading, scan=replace(second.reading.scan, acquired_at=None)),
    )
    files = render_comparison(follow([first, undated], compared))
    assert "comparison_timeline.png" not in files
    assert "The day of this scan is not known" in files["comparison.html"].decode()
    jsonschema.validate(json.loads(files["comparison.json"]), comparison_schema())


def test_the_course_says_in_words_what_it_shows(series):
    alt = content_of(series)["timeline"]["alt"]
    assert "2021-03-15 2.40 %, 6 lesions, Two or more new lesions, unconfirmed" in alt
    w = {"index": "i", "lesions": "l", "withheld": "w", "start": "s", "progressed": "p", "new": "n"}
    states = {scan.state.value: "x" for scan in series.progression.scans}
    assert draw_timeline(series, w, states, language("en")) is not None


@pytest.mark.parametrize(
    ("kind", "trend", "style"),
    [
        (ChangeKind.NEW, Trend.UNKNOWN, "new"),
        (ChangeKind.VANISHED, Trend.FELL, "gone"),
        (ChangeKind.NOT_COMPARABLE, Trend.ROSE, "unclear"),
        (ChangeKind.PERSISTING, Trend.ROSE, "rose"),
        (ChangeKind.PERSISTING, Trend.FELL, "fell"),
        (ChangeKind.MERGED, Trend.UNCHANGED, "same"),
        (ChangeKind.SPLIT, Trend.UNKNOWN, "same"),
    ],
)
def test_style_by_what_became_of_a_lesion(series, kind, trend, style):
    assert lesion_style(replace(series.latest.lesions[0], kind=kind, trend=trend)) == style


def test_what_neither_reading_marks_is_to_be_looked_at_and_counted_by_no_rule():
    def with_a_place(prior, current):
        comparison = compared(prior, current)
        first = comparison.lesions[0]
        place = replace(first, id=99, kind=ChangeKind.NEW, prior=(), current=(), reason="The difference shows it.")
        return replace(comparison, unmarked=(place,))

    series = follow([study(8, date(2021, 1, 4)), study(8, date(2021, 3, 15))], with_a_place)
    assert series.progression.state == "no_new"
    assert cards(series)[0]["value"] == "No new lesion, 4 unchanged, 1 place to look at"
    row = content_of(series)["lesions"]["rows"][0]  # what changed stands above what did not
    assert row["cells"][3] == "LOOK: more now"
    used = [finding.letter for finding in series.studies[-1].reading.findings]
    assert row["cells"][0] not in used
    jsonschema.validate(comparison_record(series), comparison_schema())


def test_likely_metastatic_ones_stand_first_and_faint_ones_are_places():
    """Of four unchanged lesions the third is likely metastatic, the first faint and judged not to be."""

    def judged(prior, current):
        comparison = compared(prior, current)
        a, b, c, d = comparison.lesions
        faint = replace(a, likelihood=number(0.1, "1"), uptake_ratio=change(1.2, 1.3, "1"))
        return replace(comparison, lesions=(faint, b, replace(c, likelihood=number(0.9, "1")), d))

    series = follow([study(8, date(2021, 1, 4)), study(8, date(2021, 3, 15))], judged)
    told = content_of(series)["lesions"]["rows"]
    assert told[0]["cells"][1:3] == [series.latest.lesions[2].place, "likely, 90 %"]
    assert told[-1]["cells"][1:3] == [series.latest.lesions[0].place, "faint place, 10 %"]
    changed = cards(series)[0]
    assert changed["value"] == "No new lesion, 3 unchanged"
    assert "not likely metastatic: 1 unchanged." in changed["note"]


def test_scans_whose_pictures_do_not_match_are_said_not_to_fit():
    def askew(prior, current):
        comparison = compared(prior, current)
        return replace(comparison, alignment=replace(comparison.alignment, trusted=False))

    series = follow([study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15))], askew)
    told = {card["label"]: card["value"] for card in cards(series)}
    assert told["Comparable?"] == "NO: the scans do not fit"
    assert told["PCWG3, bone only"] == "Not evaluable"


@pytest.mark.parametrize("colour", LESION_COLOURS.values())
def test_colours_can_be_read_on_white(colour):
    """Contrast of 4.5:1 at least (WCAG 1.4.3)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    assert 1.05 / (np.dot((0.2126, 0.7152, 0.0722), linear) + 0.05) >= 4.5
