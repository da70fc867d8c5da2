import dataclasses
import json
import math
from importlib import resources

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.reading import figure
from tests.reading.glimpse import glance

from bonescan.reading.findings.natures import (
    FILTER_Z,
    Candidate,
    fitted,
    in_company,
    judge,
    judged_by_physician,
    kept,
    patient_likelihood,
    probabilities,
    tempered,
)
from bonescan.reading.findings.spots import find
from bonescan.reading.findings.traits import by_place, company, describe
from bonescan.reading.model import Finding, Kind, Nature, Polarity
from bonescan.scan import ViewName

FACTS = json.loads(resources.files("bonescan.reading").joinpath("data/natures.json").read_text(encoding="utf-8"))
FEMUR = (-92.0, -250.0)


SCAN = figure.scan(7, factor=lambda name: figure.lesion(name, *FEMUR, 22.0, 4.0))


def one_bone(findings: tuple[Finding, ...]) -> Finding:
    (found,) = [one for one in findings if one.kind is Kind.BONE]
    return found


@pytest.fixture(scope="module")
def found() -> tuple[Finding, ...]:
    return find(SCAN, figure.LABELS)


@pytest.fixture(scope="module")
def judged(found: tuple[Finding, ...]) -> Finding:
    return one_bone(judge(found, SCAN, figure.LABELS))


def test_probabilities_are_shared_out(judged: Finding) -> None:
    assert set(judged.natures) == set(Nature)
    assert sum(judged.natures.values()) == pytest.approx(1.0)
    assert judged.likelihood.value == judged.natures[Nature.METASTATIC]


def test_the_evidence_is_the_model(judged: Finding) -> None:
    focus = 1 - judged.natures[Nature.PHYSIOLOGIC] - judged.natures[Nature.ARTEFACT]
    metastatic = judged.natures[Nature.METASTATIC] / focus
    # witness: the module's equation; weights add up to the log-odds of being metastatic, given a focus
    assert sum(one.weight for one in judged.evidence) == pytest.approx(math.log(metastatic / (1 - metastatic)))
    sizes = [abs(one.weight) for one in judged.evidence]
    assert sizes == sorted(sizes, reverse=True)
    assert any("only focus" in one.text and "11 %" in one.text for one in judged.evidence)


def test_the_prior_can_be_moved(found: tuple[Finding, ...], judged: Finding) -> None:
    rarer = one_bone(judge(found, SCAN, figure.LABELS, metastatic_share=0.11))
    moved = sum(one.weight for one in rarer.evidence) - sum(one.weight for one in judged.evidence)
    share = fitted(False).metastatic_share
    assert moved == pytest.approx(math.log(0.11 / 0.89) - math.log(share / (1 - share)))


def test_the_evidence_is_the_model_with_a_network_and_in_company() -> None:
    places = [(*FEMUR, 22.0), (92.0, -250.0, 22.0), (60.0, 180.0, 24.0)]
    seen = glance(*[(*place, {"hot": 0.95, "metastatic": 0.7}) for place in places])
    scan = figure.scan(3, factor=lambda name: np.max([figure.lesion(name, *place, 4.0) for place in places], axis=0))
    for one in judge(find(scan, figure.LABELS, seen), scan, figure.LABELS, seen):
        focus = 1 - one.natures[Nature.PHYSIOLOGIC] - one.natures[Nature.ARTEFACT]
        metastatic = one.natures[Nature.METASTATIC] / focus
        # witness: the module's equation, as above
        assert sum(told.weight for told in one.evidence) == pytest.approx(math.log(metastatic / (1 - metastatic)))
        assert any("other spots" in told.text for told in one.evidence)


def test_company_is_the_others_that_are_likely_enough_foci() -> None:
    told = company([0.9, 0.8, 0.2], [0.6, 0.1, 0.19])
    # witness: by hand; the third is no company, a probability of 0.2 being too little
    assert told[0] == pytest.approx(
        {
            "company.metastatic": math.log(0.1 + 0.05),
            "company.benign": math.log(0.7 + 0.05),
            "company.likeliest": math.log(0.1 / 0.9),
        }
    )
    assert told[2]["company.metastatic"] == pytest.approx(math.log(0.7 + 0.05))


def test_metastases_beside_it_make_a_doubtful_focus_likelier_one_and_wear_less_likely() -> None:
    model = fitted(True)
    hot = {"network.hot": 4.0, "network.least_hot": 3.0, "level.z": 2.5, "level.ratio": 1.0, "views.both": 1.0}
    doubtful = {"site.thoracic": 1.0, "network.metastatic": -1.0, "network.degenerative": -1.0} | hot
    metastasis = {"site.rib": 1.0, "network.metastatic": 2.5, "network.degenerative": -4.0} | hot
    wear = {"site.knee": 1.0, "network.metastatic": -4.0, "network.degenerative": 2.5} | hot
    chance = {}
    for name, others in {"alone": [], "metastases": [metastasis] * 4, "wear": [wear] * 4}.items():
        first, *_ = in_company(model, [one | by_place(one) for one in (doubtful, *others)])
        chance[name] = probabilities(model, first)[Nature.METASTATIC]
    assert chance["metastases"] > chance["alone"] > chance["wear"]


def test_what_is_weighed_by_place_is_told_for_that_place_alone() -> None:
    numbers = {"site.hip": 1.0, "level.ratio": 0.7, "size.area": 1.2, "symmetry.twin": 1.0}
    assert by_place(numbers) == {"level.ratio@joint": 0.7, "size.area@joint": 1.2}
    assert by_place({"site.femur": 1.0, "level.ratio": 0.7}) == {}


def test_a_finding_without_a_bone_does_not_count() -> None:
    kidney = (60.0, 180.0)
    hot = figure.scan(3, factor=lambda name: figure.lesion(name, *kidney, 30.0, 8.0))
    seen = glance((*kidney, 40.0, {"hot": 0.99, "metastatic": 0.99}))
    focus = one_bone(judge(find(hot, figure.LABELS, seen), hot, figure.LABELS, seen))
    assert not focus.bone
    assert not focus.in_burden
    assert "no bone is known" in focus.reason


def candidate(metastatic: float, benign: float, z: float, ratio: float) -> Candidate:
    chances = dict.fromkeys(Nature, 0.0)
    chances |= {Nature.METASTATIC: metastatic, Nature.DEGENERATIVE: benign}
    chances |= {Nature.PHYSIOLOGIC: 1 - metastatic - benign}
    return Kind.BONE, {"level.z": math.log(z), "level.ratio": math.log(ratio)}, chances


def test_where_much_is_in_doubt_faint_foci_tell_less_and_clear_ones_as_much() -> None:
    faint, clear = candidate(0.6, 0.1, z=4.0, ratio=1.2), candidate(0.6, 0.1, z=9.0, ratio=1.2)
    unlikely = candidate(0.05, 0.6, z=4.0, ratio=1.2)
    scan = [faint, clear, unlikely, *[candidate(0.4, 0.1, z=3.2, ratio=1.1)] * 5]
    few = tempered(scan, 8)
    assert few == [chances for _, _, chances in scan]
    after = tempered(scan, 2)  # seven are in doubt: the clear one is not, so evidence counts two sevenths
    assert after[1] == clear[2]
    assert after[2] == pytest.approx(unlikely[2])  # below the published share it stays
    # witness: logit(0.11) = -2.0907, logit(0.6 / 0.7) = 1.7918; two sevenths of the way is -0.9815, 27.26 %
    assert after[0][Nature.METASTATIC] == pytest.approx(0.7 * 0.2726, abs=1e-4)
    assert after[0][Nature.PHYSIOLOGIC] == faint[2][Nature.PHYSIOLOGIC]
    assert sum(after[0].values()) == pytest.approx(1.0)


def test_without_trusted_labels_nothing_is_claimed(found: tuple[Finding, ...]) -> None:
    findings = judge(found, SCAN, dataclasses.replace(figure.LABELS, trusted=False))
    one = one_bone(findings)
    assert one.likelihood.value is None
    assert "not trusted" in one.likelihood.absent_reason
    assert (one.natures, one.evidence) == ({}, ())
    assert patient_likelihood(findings).value is None


def test_without_a_network_every_finding_stays(found: tuple[Finding, ...]) -> None:
    after = judge(found, SCAN, figure.LABELS)
    kept = [(one.letter, one.kind, one.place, one.in_burden, one.significance) for one in after]
    assert kept == [(one.letter, one.kind, one.place, one.in_burden, one.significance) for one in found]


def test_a_faint_lesion_is_a_candidate_where_a_network_sees_it() -> None:
    seen = glance((*FEMUR, 22.0, {"hot": 0.95, "metastatic": 0.6}))
    faint = figure.scan(3, factor=lambda name: figure.lesion(name, *FEMUR, 14.0, 1.5))
    helped = [one for one in find(faint, figure.LABELS, seen) if one.kind is Kind.BONE]
    assert [one.bone for one in helped] == ["femur_r"]
    view = next(iter(helped[0].views.values()))
    x, z = figure.axes(next(iter(helped[0].views)))
    # witness: where the disc was drawn
    assert math.hypot(x[view.mask].mean() - FEMUR[0], z[view.mask].mean() - FEMUR[1]) < 8.0
    assert [one.bone for one in find(faint, figure.LABELS) if one.kind is Kind.BONE] == []


def test_a_focus_of_bone_at_an_organ_is_not_placed_in_the_organ() -> None:
    kidney = (60.0, 180.0)
    hot = figure.scan(3, factor=lambda name: figure.lesion(name, *kidney, 30.0, 8.0))
    seen = glance((*kidney, 40.0, {"hot": 0.99, "metastatic": 0.99}))
    found = find(hot, figure.LABELS, seen)
    assert any(one.place == "left kidney" and one.kind is Kind.PHYSIOLOGIC for one in found)
    focus = one_bone(judge(found, hot, figure.LABELS, seen))
    assert (focus.place, focus.bone) == ("left kidney or bone beside it", "")


def test_what_is_plainly_there_and_no_bone_disease_is_told_where_the_network_sees_contamination() -> None:
    place = (80.0, -75.0)
    scan = figure.scan(
        3, factor=lambda name: figure.lesion(name, *place, 24.0, 2.5) if name is ViewName.ANTERIOR else 1.0
    )
    for artefact, told in ((0.5, [Kind.ARTEFACT]), (0.05, [])):
        seen = glance((*place, 40.0, {"artefact": artefact}))
        (found,) = find(scan, figure.LABELS, seen)
        assert (found.kind, found.significance > FILTER_Z) == (Kind.BONE, True)
        assert [one.kind for one in judge((found,), scan, figure.LABELS, seen)] == told


def test_a_network_that_sees_nothing_adds_nothing() -> None:
    scan = figure.scan(1)
    assert [one.place for one in find(scan, figure.LABELS, glance()) if one.kind is Kind.BONE] == []


def test_traits_tell_a_line_of_ribs_and_a_twin() -> None:
    def factor(name):
        ribs = [figure.lesion(name, 110.0, z, 16.0, 6.0) for z in (300.0, 340.0, 380.0)]
        shoulders = [figure.lesion(name, side * 180.0, 510.0, 24.0, 5.0) for side in (-1, 1)]
        return np.max([*ribs, *shoulders], axis=0)

    scan = figure.scan(5, factor=factor)
    findings = [one for one in find(scan, figure.LABELS) if one.polarity is Polarity.HOT]
    told = {
        one.place + one.letter: traits
        for one, traits in zip(findings, describe(findings, scan, figure.LABELS), strict=True)
    }
    ribs = [traits for place, traits in told.items() if "rib" in place]
    assert len(ribs) == 3
    assert max(traits.numbers["shape.line"] for traits in ribs) == 2
    shoulders = [traits for place, traits in told.items() if "humerus" in place]
    assert [traits.numbers["symmetry.twin"] for traits in shoulders] == [1.0, 1.0]


L3 = 160.0


def plate(name: ViewName, x_mm: float, z_mm: float, width_mm: float, height_mm: float) -> NDArray[np.float32]:
    x, z = figure.axes(name)
    inside = (np.abs(x - x_mm) <= width_mm / 2) & (np.abs(z - z_mm) <= height_mm / 2)
    return np.where(inside, 3.0, 1.0).astype(np.float32)


@pytest.mark.parametrize(
    ("plates", "band"),
    [
        pytest.param([(0.0, L3, 44.0, 12.0)], True, id="a plate as wide as the body"),
        pytest.param([(0.0, L3, 28.0, 28.0)], False, id="as high as wide"),
        pytest.param([(16.0, L3, 26.0, 10.0)], False, id="over one side"),
        pytest.param([(0.0, L3, 44.0, 12.0), (0.0, L3 + 36.0, 44.0, 12.0)], False, id="its neighbour too"),
        pytest.param([(0.0, 600.0, 34.0, 12.0)], False, id="in the neck"),
    ],
)
def test_a_band_is_flat_as_wide_as_one_vertebra_and_alone(
    plates: list[tuple[float, float, float, float]], band: bool
) -> None:
    """Witness: plates drawn with a ruler across the spine of the figure."""
    scan = figure.scan(4, factor=lambda name: np.max([plate(name, *one) for one in plates], axis=0))
    findings = find(scan, figure.LABELS)
    told = describe(findings, scan, figure.LABELS)
    here = [t for one, t in zip(findings, told, strict=True) if one.region in (2, 9)]
    assert here
    assert {bool(one.numbers["shape.band"]) for one in here} == {band}
    assert {"flat band" in one.sentences["shape"] for one in here} == {band}


@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("trait", ["shape.band", "shape.line", "symmetry.twin"])
def test_signs_of_benign_disease_never_speak_for_metastasis(trait: str, with_network: bool) -> None:
    """Witness: what is known of them, whatever the simulated people it was fitted on would say."""
    model = fitted(with_network)
    assert model.metastatic.weights[trait] <= 0
    assert model.alone.weights[trait] <= 0


def test_a_metastasis_by_a_physician_that_takes_up_less_than_normal_counts_with_a_warning(judged: Finding) -> None:
    def reason(ratio: float) -> str:
        told = judged_by_physician(dataclasses.replace(judged, uptake_ratio=ratio), Nature.METASTATIC)
        assert told.in_burden
        return told.reason

    assert "Caution: it takes up 83% of what normal bone would there" in reason(0.834)
    assert "Caution" not in reason(1.0)


def test_diseased_bone_is_told_however_many_places_are_in_doubt() -> None:
    def told(metastatic: float, ratio: float, share: float) -> bool:
        kind, numbers, chances = candidate(share, 0.95 - share, z=1.0, ratio=ratio)
        doubtful = [candidate(0.5, 0.0, z=1.0, ratio=1.2)] * 9
        numbers = {**numbers, "network.metastatic": metastatic}
        return kept([(kind, numbers, chances), *doubtful], 0.2, 8)[0]

    assert told(1.5, 0.9, 0.8)
    assert not told(1.0, 0.9, 0.8)  # the network is not sure
    assert not told(1.5, 0.7, 0.8)  # much less than normal bone
    assert not told(1.5, 0.9, 0.2)  # likelier benign


@pytest.mark.parametrize("name", sorted(FACTS["witnesses"]))
def test_the_fitted_file_is_as_good_as_it_says(name: str) -> None:
    """Witness: candidates of the simulated people it was fitted on, kept in the file with their truth."""
    witnesses = FACTS["witnesses"][name]
    model = fitted(name == "with network")
    truth = np.array([one["nature"] == "metastatic" for one in witnesses])
    squares = (np.array([probabilities(model, one["numbers"])[Nature.METASTATIC] for one in witnesses]) - truth) ** 2
    assert len(squares) >= 40
    assert squares.mean() < truth.mean() * (1 - truth.mean())  # what a constant probability would reach
    stated = FACTS["figures"][name.split()[0]]["witness_brier"]
    assert squares.mean() == pytest.approx(stated, abs=0.002)  # room for rounded weights


def test_what_an_unsure_network_alone_sees_in_normal_uptake_is_not_told() -> None:
    def told(z: float, ratio: float, hot: float, focus: float, **more: float) -> bool:
        kind, numbers, chances = candidate(focus, 0.0, z=z, ratio=ratio)
        return kept([(kind, {**numbers, "network.hot": hot, **more}, chances)], 0.2, 8)[0]

    assert told(2.0, 1.05, -1.0, 0.6)
    assert not told(2.0, 1.05, -1.0, 0.4)  # likelier nothing
    assert not told(2.0, 0.95, -1.0, 0.6)  # less than normal bone
    assert not told(2.0, 1.05, -1.0, 0.6, **{"usual.joint": 1.0})
    for clearer in ((4.0, 1.05, -1.0), (2.0, 1.2, -1.0), (2.0, 1.05, 1.0)):  # the filter, the uptake, a sure network
        assert told(*clearer, 0.4)
