"""The impression: most important first, hedged, never more than what may be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.reading.conclusion.test_patterns import NORMAL, SHOWN, signs
from tests.report.phantom import phantom_reading

from bonescan.measurement import Measurement
from bonescan.reading.conclusion import impression
from bonescan.reading.conclusion.impression import conclude, in_words
from bonescan.reading.findings.traits import BAND
from bonescan.reading.model import (
    BLADDER,
    Evidence,
    Familiarity,
    Finding,
    Impression,
    Kind,
    Nature,
    Polarity,
    Presence,
    Quality,
    QualityCheck,
    Reading,
    Verdict,
)
from bonescan.reading.network import Glance

DOLL = phantom_reading(findings=8)
BONE = DOLL.findings[0]


@pytest.fixture
def measured(monkeypatch):
    """Signs as told, in place of those of the doll, which is no anatomy."""

    def tell(values: Mapping[str, float]) -> None:
        monkeypatch.setattr(impression, "read_signs", lambda *_: signs(dict(values)))

    tell(NORMAL)
    return tell


def passing() -> Quality:
    measured = Measurement(value=2.0, unit="1", method="m")
    return Quality(
        checks=(QualityCheck(code="quality.views", question="?", verdict=Verdict.PASS, measured=measured, text="."),)
    )


def concluded(findings: tuple[Finding, ...] = (), reading: Reading = DOLL, **more: object) -> Impression:
    more = {"quality": passing(), **more}
    quality = more.pop("quality")
    return conclude(reading.scan, reading.labels, quality, findings, reading.burden, **more)


def focus(region: int, place: str, letter: str = "A", **natures: float) -> Finding:
    shares = {Nature[name.upper()]: share for name, share in natures.items()}
    return replace(BONE, region=region, place=place, letter=letter, natures=shares)


def test_a_clean_scan_is_called_unsuspicious_and_what_is_normal_is_said(measured):
    said = concluded()
    assert said.sentences[0] == "No finding suspicious of bone metastasis."
    assert "kidneys and bladder are seen" in said.sentences[-1]
    assert (said.patterns, said.advice, said.abstains) == ((), (), ())
    assert said.metastatic.absent_reason


def test_a_bladder_is_seen_where_the_check_of_its_filling_or_a_finding_shows_one(measured):
    measured({**NORMAL, "bladder_hides_percent": 0})
    assert not any("bladder" in sentence for sentence in concluded().sentences)
    bladder = replace(BONE, kind=Kind.PHYSIOLOGIC, bone="", place=BLADDER)
    assert any("bladder" in sentence for sentence in concluded((bladder,)).sentences)


def test_the_words_nothing_suspicious_are_kept_for_scans_on_which_nothing_is_held_back(measured):
    few = replace(passing().checks[0], code="quality.counts.anterior", verdict=Verdict.WITHHOLD, text="Too few.")
    for more, told in (
        ({"quality": Quality(checks=(few,))}, "Faint lesions: Too few."),
        ({"familiarity": Familiarity(score=0.002, familiar=False, reasons=("Odd.",))}, "0.2 % of them are as strange"),
        ({"glance": Glance(views=(), exchanged=0.9, embedding=None)}, "Left and right"),
    ):
        said = concluded(**more)
        assert said.sentences[0] == "No finding suspicious of bone metastasis, in what could be judged."
        assert any(told in text for text in said.abstains)


def test_one_view_and_a_part_of_the_body_are_told(measured):
    checks = [
        replace(passing().checks[0], code=code, verdict=Verdict.WARN, text=f"{code}.")
        for code in ("quality.coverage", "quality.views", "quality.motion.anterior")
    ]
    assert concluded(quality=Quality(checks=tuple(checks))).abstains == (
        "Absence of disease: quality.coverage.",
        "Absence of disease: quality.views.",
    )


def test_labels_that_are_not_trusted_forbid_an_impression():
    untrusted = replace(DOLL, labels=replace(DOLL.labels, trusted=False))
    said = concluded((focus(9, "L3 vertebra", metastatic=0.9, degenerative=0.1),), untrusted)
    assert said.sentences == ("No impression: the skeleton could not be fitted with confidence. Look at the pictures.",)
    assert said.patterns == ()
    assert said.abstains


def test_a_likely_metastasis_comes_first_with_its_probability(measured):
    said = concluded(
        (
            focus(15, "right patella", "B", degenerative=0.9, metastatic=0.1),
            focus(9, "L3 vertebra", metastatic=0.8, degenerative=0.2),
        )
    )
    assert said.sentences[0] == "Likely metastatic: L3 vertebra (A, 80 %)."
    assert said.sentences[1] == "Most likely degeneration: right patella (B)."
    assert any(sentence.startswith("Bone Scan Index 1.8 ± 0.3 %") for sentence in said.sentences)
    assert not any("No finding" in sentence for sentence in said.sentences)


def test_an_indeterminate_focus_of_the_spine_asks_for_spect_and_of_a_long_bone_for_a_radiograph(measured):
    said = concluded(
        (
            focus(9, "L3 vertebra", metastatic=0.35, degenerative=0.6, traumatic=0.05),
            focus(12, "left femur", "B", metastatic=0.3, traumatic=0.7),
        )
    )
    assert said.sentences[0] == (
        "Indeterminate, metastasis not excluded: L3 vertebra (A, metastasis 35 %, degeneration 60 %), "
        "left femur (B, metastasis 30 %, fracture or injury 70 %)."
    )
    assert said.advice[0].startswith("SPECT/CT of L3 vertebra (A)")
    assert said.advice[1].startswith("Radiograph of left femur (B)")
    assert said.advice[-1].startswith("Compare with earlier scans")


def test_every_clear_focus_that_stays_open_has_a_next_step(measured):
    # the brightest of a scan, likelier worn than metastatic, at a joint of a long bone
    said = concluded(
        (
            focus(9, "L3 vertebra", metastatic=0.35, degenerative=0.6, traumatic=0.05),
            replace(
                focus(12, "right greater trochanter", "B", metastatic=0.27, degenerative=0.55, artefact=0.18), id=2
            ),
            replace(focus(5, "sternum", "C", metastatic=0.3, traumatic=0.7), id=3),
        ),
    )
    assert said.advice[0].startswith("SPECT/CT of L3 vertebra (A)")
    assert said.advice[1] == (
        "SPECT/CT or radiograph of sternum (C), right greater trochanter (B): clear, but of uncertain nature."
    )


def test_a_flat_band_of_a_vertebra_is_told(measured):
    band = Evidence(text=BAND, weight=-0.1, source="s")
    found = replace(focus(9, "L1 vertebra", metastatic=0.24, traumatic=0.76), evidence=(band,))
    told = "A flat band across the vertebra, as compression fractures show: L1 vertebra (A)."
    assert told in concluded((found,)).sentences
    assert told not in concluded((replace(found, evidence=()),)).sentences
    unlikely = {Nature.METASTATIC: 0.9, Nature.TRAUMATIC: 0.1}  # such a band is a metastasis more often than a fracture
    assert told not in concluded((replace(found, natures=unlikely),)).sentences


def test_what_is_likelier_nothing_than_a_focus_is_a_faint_place_unless_metastasis_is_a_quarter_or_more(measured):
    said = concluded((focus(9, "L3 vertebra", metastatic=0.2, physiologic=0.8),))
    assert said.sentences[0] == "No clear focus; one faint place of uptake, as variants and noise show as well."
    assert said.advice == ()
    assert "Indeterminate" in concluded((focus(9, "L3 vertebra", metastatic=0.27, physiologic=0.73),)).sentences[0]


def test_foci_of_ribs_alone_are_said_to_be_mostly_benign(measured):
    said = concluded((focus(4, "left 7th rib", metastatic=0.2, traumatic=0.8),))
    assert said.advice[0] == "Left 7th rib (A): foci of ribs alone are mostly benign; ask for injury, follow up."


def test_findings_without_probabilities_are_told_as_they_are(measured):
    clear = replace(BONE, natures={}, place="T5 vertebra", region=3, uptake_ratio=3.2)
    faint = replace(clear, uptake_ratio=1.2, significance=4.5)
    said = concluded((clear,))
    assert said.sentences[0] == "One clear focus whose nature was not estimated: T5 vertebra (A, 3.2 × normal)."
    assert concluded((faint,)).sentences[0] == (
        "No clear focus; one faint place of uptake, as variants and noise show as well."
    )


def test_a_cold_place_is_not_overlooked(measured):
    said = concluded((replace(BONE, polarity=Polarity.COLD, place="left ilium"),))
    assert said.sentences[0].startswith("Less uptake than normal bone: left ilium (A)")
    assert not any("No finding" in sentence for sentence in said.sentences)


def test_the_probability_of_the_whole_scan_is_said_with_its_uncertainty(measured):
    given = Measurement(value=0.87, unit="1", uncertainty=0.05, method="m")
    said = concluded((focus(9, "L3 vertebra", metastatic=0.8, degenerative=0.2),), metastatic=given)
    assert said.metastatic is given
    assert said.sentences[1] == (
        "By its findings together, bone metastases are likely (87 ± 5 %, calibrated on simulated people)."
    )
    alone = concluded(metastatic=given)
    assert alone.sentences[0] == (
        "A model calibrated on simulated people gives bone metastases 87 ± 5 %; no clear focus bears it out: uncertain."
    )
    assert not any("No finding" in sentence for sentence in alone.sentences)


def test_what_is_only_more_likely_than_not_is_not_called_likely(measured):
    said = concluded((focus(9, "L3 vertebra", metastatic=0.6, degenerative=0.4),))
    assert said.sentences[0] == "More likely metastatic than not: L3 vertebra (A, 60 %)."


def test_a_scan_less_likely_than_its_surest_finding_says_why(measured):
    found = (focus(9, "L3 vertebra", metastatic=0.8, degenerative=0.2),)
    why = "among several foci one looks suspicious by chance"
    less, more = (concluded(found, metastatic=Measurement(value=p, unit="1", method="m")) for p in (0.74, 0.85))
    assert why in less.sentences[2]
    assert not any(why in sentence for sentence in more.sentences)


def test_a_faint_focus_of_a_long_bone_is_no_emergency(measured):
    hurt = replace(focus(12, "left femur", metastatic=0.3, traumatic=0.7), uptake_ratio=1.3, significance=5.0)
    assert "Radiograph of left femur (A) if it is painful." in concluded((hurt,)).advice


def test_what_is_told_as_indeterminate_is_not_listed_as_likely_normal():
    doubtful, normal = (focus(9, "L3", metastatic=p, physiologic=1 - p) for p in (0.27, 0.2))
    assert not doubtful.likely_normal
    assert normal.likely_normal
    assert not normal.likely_benign  # each finding has one style


def test_only_hot_bone_that_was_judged_and_is_hardly_metastatic_is_likely_benign():
    worn, doubtful = (focus(9, "L3", metastatic=p, degenerative=1 - p) for p in (0.1, 0.12))
    assert worn.likely_benign
    assert not doubtful.likely_benign
    assert not replace(worn, natures={}).likely_benign
    assert not replace(worn, polarity=Polarity.COLD).likely_benign


def test_a_faint_focus_is_indeterminate_however_sure_the_model(measured):
    sure = focus(9, "L3 vertebra", metastatic=0.96, degenerative=0.04)
    faint = replace(sure, uptake_ratio=1.3, significance=5.0)
    said = concluded((faint,))
    assert said.sentences[0].startswith("Indeterminate, metastasis not excluded: L3 vertebra (A, metastasis 96 %")
    assert not any(sentence.startswith("Likely") for sentence in said.sentences)


def test_a_focus_under_which_no_bone_lies_is_indeterminate_however_sure_the_model(measured):
    sure = focus(0, "right kidney or bone beside it", metastatic=0.6, physiologic=0.4)
    said = concluded((replace(sure, bone="", uptake_ratio=6.4, significance=32.0),))
    assert said.sentences[0] == (
        "Indeterminate, metastasis not excluded: right kidney or bone beside it (A, metastasis 60 %)."
    )
    assert not any(sentence.startswith(("Likely", "Bone Scan Index")) for sentence in said.sentences)


def test_a_long_bone_is_x_rayed_for_what_may_break_it_and_not_for_wear(measured):
    hurt = focus(12, "left femur", metastatic=0.3, traumatic=0.7)
    worn = focus(8, "left humerus, proximal", "B", metastatic=0.24, degenerative=0.76)
    assert any(text.startswith("Radiograph of left femur (A),") for text in concluded((hurt, worn)).advice)
    assert not any(text.startswith("Radiograph") for text in concluded((worn,)).advice)


def test_one_finding_is_told_as_one(measured):
    burden = replace(DOLL.burden, hot_spot_count=1)
    found = (focus(9, "L3 vertebra", metastatic=0.8, degenerative=0.2),)
    said = concluded(found, replace(DOLL, burden=burden))
    assert any(sentence.endswith("of skeletal mass, by one finding.") for sentence in said.sentences)


def test_a_pattern_leads_and_its_findings_are_not_told_again(measured):
    measured({**NORMAL, **SHOWN["rib_fractures"]})
    ribs = tuple(replace(focus(4, "left rib", metastatic=0.4, traumatic=0.6), id=number) for number in (1, 3))
    said = concluded(ribs)
    assert "pattern of rib fractures" in said.sentences[0]
    assert said.sentences[1] == "No other finding suspicious of bone metastasis."
    assert [pattern.code for pattern in said.patterns if pattern.presence is Presence.PRESENT] == ["rib_fractures"]


def test_a_probability_that_knows_no_pattern_says_so(measured):
    measured({**NORMAL, **SHOWN["growth_plates"]})
    said = concluded(metastatic=Measurement(value=0.59, unit="1", method="m"))
    assert said.sentences[1:3] == (
        "No other finding suspicious of bone metastasis.",
        "Single findings alone, without that pattern, would make bone metastases uncertain "
        "(59 %, calibrated on simulated people).",
    )


def test_a_superscan_is_not_told_twice_and_forbids_to_count_lesions(measured):
    measured({**NORMAL, **SHOWN["metastatic_superscan"]})
    said = concluded()
    assert "superscan" in said.sentences[0]
    assert sum("metastases" in sentence for sentence in said.sentences) == 1
    assert any("merge" in text for text in said.abstains)
    assert not any("No finding" in sentence for sentence in said.sentences)


def test_where_disease_is_widespread_nobody_asks_what_a_single_doubtful_focus_is(measured):
    measured({**NORMAL, **SHOWN["widespread_metastases"]})
    doubtful = replace(focus(9, "L3 vertebra", metastatic=0.35, degenerative=0.65), id=99)
    threatened = replace(focus(12, "left femur", "B", metastatic=0.9, traumatic=0.1), id=98)
    said = concluded((doubtful, threatened))
    assert not any("Indeterminate" in sentence for sentence in said.sentences)
    assert not any("SPECT/CT" in text for text in said.advice)
    assert said.advice[0].startswith("Radiograph of left femur (B)")


def test_poor_technique_limits_what_may_be_said(measured):
    measured({**NORMAL, **SHOWN["full_bladder"]})
    said = concluded()
    assert "Pubis and sacrum under the bladder." in said.abstains
    assert any("after voiding" in text for text in said.advice)


@pytest.mark.parametrize(
    ("probability", "word"),
    [(0.95, "very likely"), (0.7, "likely"), (0.5, "uncertain"), (0.2, "unlikely"), (0.01, "very unlikely")],
)
def test_probabilities_in_words(probability, word):
    assert in_words(probability) == word


def test_paired_bones_are_not_called_alike_beside_one_sided_disease(measured):
    both = "uptake of the spine is even and that of paired bones alike"
    measured(NORMAL | {"asymmetry": 5.0, "unevenness": 5.0})
    assert both in concluded().sentences[-1].lower()
    left = replace(focus(11, "left iliac wing", metastatic=0.9, physiologic=0.1), bone="hip_bone_l")
    assert "alike" not in concluded((left,)).sentences[-1].lower()
    other = replace(left, id=99, bone="hip_bone_r", place="right iliac wing")
    assert both in concluded((left, other)).sentences[-1].lower()
    normal = replace(left, natures={Nature.PHYSIOLOGIC: 0.8, Nature.METASTATIC: 0.2})
    assert both in concluded((normal,)).sentences[-1].lower()
