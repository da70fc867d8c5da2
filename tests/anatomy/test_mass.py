from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.body import Body
from bonescan.anatomy.form import draw_form, shaped_skeleton
from bonescan.anatomy.mass import body_mass_kg, girth_for_mass
from bonescan.anatomy.pose import pose_person
from bonescan.errors import InvalidValue


def straight_body(sex: str, stature_mm: float, girth: float, form: np.ndarray | None = None) -> Body:
    posed = pose_person(shaped_skeleton(sex, form), sex=sex, stature_mm=stature_mm)
    return Body(posed=posed, sex=sex, girth=girth)


@pytest.mark.parametrize(("sex", "stature_mm", "mass_kg"), [("male", 1760, 73.0), ("female", 1630, 60.0)])
def test_the_reference_person_weighs_what_icrp_says(sex, stature_mm, mass_kg):
    # ICRP Publication 89; 10 % is the project's aim
    assert body_mass_kg(straight_body(sex, stature_mm, 1.0), stature_mm) == pytest.approx(mass_kg, rel=0.1)


@pytest.mark.parametrize(
    ("sex", "stature_mm", "mass_kg"),
    [("male", 1760, 73), ("female", 1630, 60), ("male", 1900, 130), ("female", 1500, 45), ("female", 1700, 105)],
)
def test_a_body_of_the_girth_found_has_the_mass_asked_for(sex, stature_mm, mass_kg):
    girth = girth_for_mass(sex, stature_mm, mass_kg)
    assert body_mass_kg(straight_body(sex, stature_mm, girth), stature_mm) == pytest.approx(mass_kg, rel=0.005)


def test_form_changes_a_bodys_mass_by_little():
    # the skin is the reference person's: what form may do is push it out where a bone would pierce it
    rng = np.random.default_rng(2)
    masses = [body_mass_kg(straight_body("female", 1630, 1.0, draw_form(rng, "female")), 1630) for _ in range(4)]
    assert np.ptp(masses) / np.mean(masses) < 0.02


@pytest.mark.parametrize(
    ("sex", "stature_mm", "mass_kg"),
    [("male", 1760, 30), ("male", 1760, 250), ("neither", 1760, 73), ("male", 900, 73)],
)
def test_what_no_body_can_weigh_is_refused(sex, stature_mm, mass_kg):
    with pytest.raises(InvalidValue):
        girth_for_mass(sex, stature_mm, mass_kg)
