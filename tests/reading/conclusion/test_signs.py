"""Signs of a whole scan, measured on a drawn doll whose levels are known, and on findings set by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from tests.report.phantom import phantom_reading

from bonescan.reading.conclusion.signs import SIGNS, Sign, clear_foci, read_signs
from bonescan.reading.conclusion.uptake import measure_uptake
from bonescan.reading.findings.traits import CLEAR_RATIO
from bonescan.reading.model import Finding, FindingView, Kind, Nature, Reading
from bonescan.scan import PatientFacts, ViewName

TEMPLATE = phantom_reading(findings=5).findings[0]


@pytest.fixture(scope="module")
def doll() -> Reading:
    """A doll without findings, 60 years old; its vertebrae T10 to L5 show 42 to 48 counts, its hip bones 40."""
    return phantom_reading(findings=0, patient=PatientFacts(age_years=60))


def signs_of(reading: Reading, findings: Iterable[Finding] = ()) -> dict[str, Sign]:
    return dict(read_signs(reading.scan, reading.labels, reading.quality, tuple(findings), reading.burden))


def value(signs: dict[str, Sign], name: str) -> float:
    measured = signs[name].measured.value
    assert measured is not None, signs[name].measured.absent_reason
    return measured


def brighter(reading: Reading, bone: str, factor: float) -> Reading:
    """The same doll with one bone that takes up more."""
    views = []
    for view, labelled in zip(reading.scan.views, reading.labels.views, strict=True):
        counts = view.counts.copy()
        for one in labelled.bones:
            if one.bone == bone:
                counts[one.box] = np.where(one.thickness_mm > 0, counts[one.box] * factor, counts[one.box])
        views.append(replace(view, counts=counts))
    return replace(reading, scan=replace(reading.scan, views=tuple(views)))


def spot(reading: Reading, number: int, bone: str, z_mm: float, x_mm: float, **changes: object) -> Finding:
    """A finding set by hand at a place of the body, seen from in front."""
    labelled = reading.labels.views[0]
    row, column = np.unravel_index(
        int(np.argmin((labelled.z_mm - z_mm) ** 2 + (labelled.x_mm - x_mm) ** 2)), labelled.z_mm.shape
    )
    seen = next(iter(TEMPLATE.views.values()))
    view: FindingView = replace(seen, peak_row=int(row), peak_column=int(column))
    side = "left" if x_mm > 0 else "right"
    return replace(
        TEMPLATE, id=number, bone=bone, side=side, region=4, views={ViewName.ANTERIOR: view}, uptake_ratio=2.0,
        significance=10.0, in_burden=True, **changes,
    )  # fmt: skip


def test_every_sign_is_measured_or_says_why_not(doll):
    signs = signs_of(doll)
    assert tuple(signs) == SIGNS
    for name, sign in signs.items():
        assert (sign.measured.value is None) == bool(sign.measured.absent_reason), name


def test_what_the_file_states_is_a_sign(doll):
    assert value(signs_of(doll), "age_years") == 60
    assert value(signs_of(doll), "delay_h") == pytest.approx(3.25)
    unknown = replace(doll, scan=replace(doll.scan, acquired_at=None, patient=PatientFacts()))
    assert signs_of(unknown)["age_years"].measured.absent_reason == "the file states no age"
    assert signs_of(unknown)["delay_h"].measured.absent_reason == "the file states no times"


def test_a_level_is_over_the_spine_of_the_same_view(doll):
    # Drawn: hip bones of 40 counts times sqrt(1 - r2), vertebrae of 42 to 48 likewise; smoothing levels both a little.
    level = measure_uptake(doll.scan, doll.labels).bone("hip_bone")
    assert level == pytest.approx(40 / 45, abs=0.12)
    dimmer = replace(doll.scan, views=tuple(replace(view, counts=view.counts / 3) for view in doll.scan.views))
    assert measure_uptake(dimmer, doll.labels).bone("hip_bone") == pytest.approx(level, rel=1e-4)


def test_sides_alike_and_a_side_that_is_not(doll):
    # The doll is symmetric: what is left is Poisson noise of some 20 counts per pixel over hundreds of pixels.
    assert value(signs_of(doll), "asymmetry") < 6
    assert value(signs_of(doll), "whole_bone") < 1.1
    paget = signs_of(brighter(doll, "hip_bone_l", 2.5))
    assert value(paget, "whole_bone") == pytest.approx(2.5, rel=0.1)
    assert paget["whole_bone"].where == "left hip bone"


def test_a_whole_leg_that_differs_is_no_single_bone(doll):
    leg = doll
    for bone in ("hip_bone_l", "femur_l", "tibia_l"):
        leg = brighter(leg, bone, 2.5)
    assert value(signs_of(leg), "whole_bone") < 1.15


def test_a_patchy_spine_is_uneven(doll):
    even, patchy = signs_of(doll), signs_of(brighter(brighter(doll, "vertebra_l02", 3.0), "vertebra_t07", 3.0))
    assert value(patchy, "unevenness") > 3 * value(even, "unevenness")


def test_bright_shafts_stand_above_the_ends(doll):
    before = value(signs_of(doll), "shafts")
    tram = doll
    for bone in ("femur_l", "femur_r", "tibia_l", "tibia_r"):
        tram = brighter(tram, bone, 3.0)
    assert value(signs_of(tram), "shafts") == pytest.approx(3 * before, rel=0.05)
    one_leg = brighter(brighter(doll, "femur_l", 3.0), "tibia_l", 3.0)
    assert value(signs_of(one_leg), "shafts") == pytest.approx(before, rel=0.05)  # both sides must be bright


def test_fractures_in_a_line(doll):
    line = [spot(doll, k, f"rib_{4 + k:02d}_l", 1300 - 30 * k, 100 + 5 * k) for k in range(1, 5)]
    signs = signs_of(doll, line)
    assert value(signs, "rib_line") == 4
    assert signs["rib_line"].where == "left"
    assert signs["rib_line"].findings == (1, 2, 3, 4)
    assert value(signs, "foci_off_line") == 0


def test_ribs_that_scatter_are_no_line(doll):
    # One to each side, or as far aside as they are below: no neighbour of the same chain.
    scattered = [spot(doll, k, f"rib_{4 + k:02d}_l", 1300 - 30 * k, (-1) ** k * 100) for k in range(1, 5)]
    assert value(signs_of(doll, scattered), "rib_line") <= 2
    aslant = [spot(doll, k, f"rib_{4 + k:02d}_l", 1300 - 30 * k, 30 * k) for k in range(1, 5)]
    assert value(signs_of(doll, aslant), "rib_line") == 1


def test_growth_plates_are_made_of_spots_of_limbs_alike_on_both_sides(doll):
    knees = [replace(spot(doll, k, "femur_l", 430, x), region=12) for k, x in ((1, 90), (2, -90))]
    alone = replace(spot(doll, 3, "tibia_l", 60, 90), region=16)
    assert signs_of(doll, [*knees, alone])["growth_plates"].findings == (1, 2)


def test_a_line_of_faint_spots_alone_does_not_count(doll):
    line = [
        replace(spot(doll, k, f"rib_{4 + k:02d}_l", 1300 - 30 * k, 100), significance=5.0, uptake_ratio=1.3)
        for k in range(1, 5)
    ]
    assert value(signs_of(doll, line), "rib_line") == 0


def test_foci_count_by_their_probability_where_there_is_one(doll):
    foci = [spot(doll, k, "vertebra_t05", 1300 - 60 * k, 0) for k in range(1, 4)]
    assert value(signs_of(doll, foci), "metastatic_foci") == 3
    likely = [replace(foci[0], natures={Nature.METASTATIC: 0.8, Nature.DEGENERATIVE: 0.2})]
    unlikely = [replace(one, natures={Nature.METASTATIC: 0.1, Nature.DEGENERATIVE: 0.9}) for one in foci[1:]]
    assert value(signs_of(doll, likely + unlikely), "metastatic_foci") == pytest.approx(1.0)


def test_faint_cold_and_normal_places_are_no_clear_foci(doll):
    clear = spot(doll, 1, "vertebra_t05", 1240, 0)
    faint = replace(clear, uptake_ratio=CLEAR_RATIO - 0.1, significance=6.0)
    normal = replace(clear, natures={Nature.PHYSIOLOGIC: 0.7, Nature.METASTATIC: 0.3})
    kidney = replace(clear, kind=Kind.PHYSIOLOGIC)
    assert clear_foci([clear, faint, normal, kidney]) == (clear,)


def test_an_injection_site_counts_only_where_it_is_found(doll):
    assert value(signs_of(doll), "injection_percent") == 0
    site = replace(
        spot(doll, 1, "", 900, 200), kind=Kind.ARTEFACT, place="left arm, injection site"
    )  # quality of the doll has no such check: what is found but not measured is absent
    assert signs_of(doll, [site])["injection_percent"].measured.value is None
