from __future__ import annotations

import io
import json
import re
import unicodedata
from datetime import date

import pypdf
import pytest
from tests.report.test_leaflet import CANCER

from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.report.leaflet import leaflet_languages, leaflet_text, leaflet_words
from bonescan.report.leaflet_after import RESULT_LEAFLET_NAMES, Conclusion, SignedResult, after_content, after_files
from bonescan.report.skeleton_drawing import draw_skeleton

DAY = date(2026, 3, 5)
LANGUAGES = list(leaflet_languages())
BENIGN = [kind for kind in Conclusion if kind is not Conclusion.METASTASES]


def finding(letter: str, bone: str, side: str, region: int) -> dict:
    return {
        "letter": letter,
        "bone": bone,
        "side": side,
        "region": region,
        "place": "unsigned place",
        "reason": "unsigned",
    }


RECORD = {
    "scan": {"acquired_at": "2026-03-04T16:20:00", "patient": {"name": "DOE^JANE^^^"}},
    "findings": {
        "A": finding("A", "rib_07_r", "right", 4),
        "B": finding("B", "vertebra_l03", "midline", 9),
        "C": finding("C", "rib_08_r", "right", 4),
        "D": finding("D", "", "left", 1),
        "E": finding("E", "", "", 0),
    },
}
JSON = json.dumps({"schema_version": "1.1.0", **RECORD, "findings": list(RECORD["findings"].values())}).encode()


def signed(*conclusions: Conclusion, **more: object) -> SignedResult:
    return SignedResult(**{"physician": "Dr. A. Example", "signed_on": DAY, "conclusions": conclusions, **more})


def text_of(result: SignedResult, language: str = "en") -> str:
    return " ".join(leaflet_text(after_content(RECORD, result, language)).split())


@pytest.mark.parametrize("name", ["", "  ", "7", "-"])
def test_without_a_physicians_name_there_is_no_leaflet(name):
    with pytest.raises(InvalidValue, match="only in the name of a physician"):
        signed(Conclusion.WEAR, physician=name)


def test_without_a_conclusion_or_own_words_there_is_no_leaflet():
    with pytest.raises(InvalidValue, match="needs a conclusion"):
        signed(says=" ")
    assert "In the words of your doctor:" in text_of(signed(says="All is well with your hip."))


def test_conclusions_that_contradict_each_other_are_refused():
    with pytest.raises(InvalidValue, match="stands alone"):
        signed(Conclusion.NOTHING_UNUSUAL, Conclusion.WEAR)
    with pytest.raises(InvalidValue, match="stands alone"):
        signed(Conclusion.NOTHING_UNUSUAL, places={"A": Conclusion.NOTHING_UNUSUAL})
    with pytest.raises(InvalidValue, match="A is called 'metastases', which the signed conclusions do not hold"):
        signed(Conclusion.WEAR, places={"A": Conclusion.METASTASES})


def test_nobody_signs_before_the_scan():
    with pytest.raises(InvalidValue, match="before the scan of 2026-03-04"):
        text_of(signed(Conclusion.WEAR, signed_on=date(2026, 3, 3)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", BENIGN)
def test_a_conclusion_that_is_not_cancer_never_says_the_word(language, kind):
    places = {} if kind is Conclusion.NOTHING_UNUSUAL else {"A": kind, "B": kind, "D": kind, "femur_l": kind}
    for result in (signed(kind, places=places), signed(says="Sie 您")):
        everything = json.dumps(after_content(RECORD, result, language), ensure_ascii=False)
        assert not re.search(CANCER[language], everything, re.I)


@pytest.mark.parametrize("language", LANGUAGES)
def test_signed_metastases_are_said_and_explained(language):
    content = after_content(RECORD, signed(Conclusion.METASTASES), language)
    assert re.search(CANCER[language], content["blocks"][0]["text"][0], re.I)
    glossary = next(block for block in content["blocks"] if block["kind"] == "glossary")
    assert re.search(CANCER[language], glossary["terms"][-1][0], re.I)


def test_nothing_of_the_reading_is_told_but_what_the_physician_shows():
    said = text_of(signed(Conclusion.WEAR, places={"B": Conclusion.WEAR}))
    assert "your lower back: wear" in said
    assert "ribs" not in said
    assert "unsigned" not in json.dumps(after_content(RECORD, signed(Conclusion.WEAR, places={"B": Conclusion.WEAR})))


def test_the_physicians_words_replace_ours():
    said = text_of(signed(Conclusion.UNCLEAR, says="Your rib heals well.", next_steps="Come back in May."))
    assert "Your rib heals well." in said
    assert "Come back in May." in said
    assert "this scan alone cannot explain" not in said
    assert "an X-ray, a CT or an MRI" not in said


def test_who_signed_and_when_and_whose_scan_it_is_stands_on_top():
    assert text_of(signed(Conclusion.WEAR)).startswith(
        "What your bone scan shows - Scan of Wednesday 4 March 2026 Name: DOE JANE Questions? Call us: "
        "______________________________ Checked and signed by Dr. A. Example on Thursday 5 March 2026"
    )


def test_places_of_one_name_and_kind_are_one_number_with_all_their_bones():
    content = after_content(
        RECORD, signed(Conclusion.HEALING, places=dict.fromkeys(["A", "C", "B", "D"], Conclusion.HEALING))
    )
    block = next(block for block in content["blocks"] if block["kind"] == "places")
    assert [text for _, text in block["places"]] == [
        "your right ribs: bone that is mending",
        "your lower back: bone that is mending",
        "the left side of your head: bone that is mending",
    ]
    assert (
        block["svg"].count('stroke-width="6"') > 4
    )  # two ribs, a vertebra and the bones of the left side of the skull
    assert all(text in block["alt"] for _, text in block["places"])


@pytest.mark.parametrize("key", ["Z", "E", "rib_99_l"])
def test_a_place_that_is_nowhere_is_refused(key):
    with pytest.raises(InvalidValue, match=f"'{key}' is no bone finding"):
        text_of(signed(Conclusion.WEAR, places={key: Conclusion.WEAR}))


def test_the_files_hold_the_deed_and_are_accessible():
    files = after_files(JSON, signed(Conclusion.WEAR, places={"B": Conclusion.WEAR}), "zh")
    assert tuple(sorted(files)) == tuple(sorted(RESULT_LEAFLET_NAMES))
    deed = json.loads(files["leaflet.json"])
    assert (deed["physician"], deed["signed_on"], deed["places"]) == ("Dr. A. Example", "2026-03-05", {"B": "wear"})
    assert len(deed["reading_sha256"]) == 64
    assert b"pdfuaid:part>1" in files["leaflet.pdf"]
    page = files["leaflet.html"].decode()
    assert 'role="img" aria-label="从前面看的骨头图' in page
    assert after_files(JSON, signed(Conclusion.WEAR, places={"B": Conclusion.WEAR}), "zh") == files


def reading_of(name: str) -> bytes:
    return json.dumps({**json.loads(JSON), "scan": {**RECORD["scan"], "patient": {"name": name}}}).encode()


def printed(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize(
    "name",
    ["\u0623\u062d\u0645\u062f", "\u05db\u05d4\u05df", "Nguy\u1ec5n", "\u0416\u0443\u043a", "\u738b", "\u0141ukasz"],
)
def test_names_of_many_scripts_are_printed(name):
    files = after_files(reading_of(f"{name}^A"), signed(Conclusion.WEAR))
    text = unicodedata.normalize("NFKC", printed(files["leaflet.pdf"]))
    assert set(unicodedata.normalize("NFKC", name)) <= set(text)
    assert leaflet_words("en")["by_hand"] not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_that_no_font_of_ours_has_is_left_to_be_written_by_hand_and_the_sheet_says_so(language):
    # typst refuses PDF/A with a letter it cannot show
    files = after_files(reading_of("\uae40^\u1200\u1208"), signed(Conclusion.WEAR), language)
    text = "".join(printed(files["leaflet.pdf"]).split())
    assert "".join(leaflet_words(language)["by_hand"].split()) in text
    assert "U+" not in text
    assert "\uae40" in files["leaflet.html"].decode()  # the fonts of the screen show it


@pytest.mark.parametrize("name", ["Dr. \u1200\u1208", "Dr. caf\udce9"])
def test_a_physicians_name_that_cannot_be_printed_is_refused(name):
    with pytest.raises(InvalidValue, match="has no letters for"):
        signed(Conclusion.WEAR, physician=name)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schema_version": "1.0.0"}', b'{"schema_version": "2.0.0"}'])
def test_what_is_no_reading_is_refused(content):
    with pytest.raises(UnreadableInput):
        after_files(content, signed(Conclusion.WEAR))


def test_the_drawing_marks_the_patients_left_on_the_right_and_puts_no_number_upon_another():
    svg = draw_skeleton({"1": ["femur_l"], "2": ["femur_r"], "3": ["rib_05_l"], "4": ["rib_06_l"]})
    at = {number: (float(x), float(y)) for x, y, number in re.findall(r'<text x="([-\d]+)" y="(\d+)"[^>]*>(\d)<', svg)}
    assert at["1"][0] > 0 > at["2"][0]
    assert at["1"][1] == at["2"][1]  # a femur is as high as the other
    assert at["4"][1] - at["3"][1] >= 68  # two radii of the discs
    assert svg.count('stroke-width="6"') == 4
    assert draw_skeleton({}).count("<path") == 205  # every bone of the skeleton


@pytest.mark.parametrize(
    ("name", "shown"),
    [(None, ""), ("=\u738b^\u5c0f\u4e1c", "\u738b \u5c0f\u4e1c"), ("Wang^Li=\u738b^\u529b", "Wang Li")],
)
def test_a_name_may_be_absent_or_stand_in_a_later_group(name, shown):
    scan = {"acquired_at": None, "patient": {"name": name}}
    assert after_content({"scan": scan, "findings": {}}, signed(Conclusion.WEAR))["name"] == shown


@pytest.mark.parametrize(
    "broken",
    [
        {"scan": {}},
        {"scan": []},
        {"scan": {"acquired_at": "yesterday", "patient": {"name": ""}}},
        {"scan": {"acquired_at": None, "patient": {"name": 7}}},
        {"findings": [{"letter": "A"}]},
        {"findings": [{**RECORD["findings"]["A"], "region": "rib"}]},
    ],
)
def test_a_reading_whose_parts_are_missing_is_refused(broken):
    content = json.dumps({**json.loads(JSON), **broken}).encode()
    with pytest.raises(UnreadableInput, match=r"no reading\.json"):
        after_files(content, signed(Conclusion.WEAR))


def test_a_file_nested_beyond_measure_is_refused():
    with pytest.raises(UnreadableInput, match=r"no reading\.json"):
        after_files(b"[" * 100_000, signed(Conclusion.WEAR))


@pytest.mark.parametrize("field", ["says", "next_steps"])
@pytest.mark.parametrize("words", ["Dr. \u0623\u062d\u0645\u062f", "caf\udce9"])
def test_words_that_could_only_be_shown_as_numbers_are_refused(field, words):
    with pytest.raises(InvalidValue, match="has no letters for"):
        signed(Conclusion.WEAR, **{field: words})


def test_a_name_that_no_encoding_knows_breaks_nothing():
    files = after_files(reading_of("caf\udce9"), signed(Conclusion.WEAR))
    assert all(b"caf?" in files[f"leaflet.{form}"] for form in ("html", "txt"))


def test_words_longer_than_a_page_go_on_the_next_one():
    def pages(says: str) -> int:
        pdf = after_files(JSON, signed(says=says))["leaflet.pdf"]
        return int(re.findall(rb"/Type/Pages/Count (\d+)", pdf)[0])

    sentence = "All is well with your hip. "  # a page holds 75 of them at most: 300 more, three whole pages at least
    assert pages(sentence * 400) >= pages(sentence * 100) + 3
