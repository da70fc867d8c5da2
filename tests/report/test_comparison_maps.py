"""The pictures of a comparison as numbers hold what the comparison says, and its record says where lesions lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from tests.report.pair import compared, drawn_series, study

from bonescan.followup.model import Comparison
from bonescan.report.comparison_maps import GRID_STEP, comparison_maps, load_comparison_map
from bonescan.report.comparison_record import comparison_record


@pytest.fixture(scope="module")
def shifted() -> Comparison:
    """Two dolls; the prior one lies two rows lower, with half of the counts for the same bone."""
    made = compared(study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15)))
    views = tuple(replace(view, prior_row=view.prior_row + 2) for view in made.alignment.views)
    return replace(
        made,
        alignment=replace(made.alignment, views=views),
        difference=tuple(replace(one, scale=2.0) for one in made.difference),
    )


def test_maps_hold_the_prior_scan_carried_and_scaled_the_difference_and_the_way(shifted: Comparison):
    content = comparison_maps(shifted)
    for one, prior in zip(shifted.difference, shifted.prior.scan.views, strict=True):
        name = str(one.name)
        carried = load_comparison_map(content, "prior", name)
        # Half precision: a share of 2**-11 (IEEE 754), at the map's own place, two rows up.
        shown = shifted.alignment.view(one.name).shown
        np.testing.assert_allclose(carried[:-2][shown[:-2]], 2 * prior.counts[2:][shown[:-2]], rtol=2**-11)
        assert np.isnan(carried[~shown]).all()
        np.testing.assert_allclose(load_comparison_map(content, "difference", name), one.significance, rtol=2**-10)
        row, column = (load_comparison_map(content, kind, name) for kind in ("row", "column"))
        every = np.indices(prior.counts.shape)[:, ::GRID_STEP, ::GRID_STEP]
        np.testing.assert_array_equal(row, every[0] + 2)
        np.testing.assert_array_equal(column, every[1])
    assert comparison_maps(shifted) == content
    assert load_comparison_map(content, "prior", "elsewhere") is None


def test_the_record_says_where_every_lesion_lies_in_both_scans():
    series = drawn_series(8, 10)
    lesions = {one["id"]: one for one in comparison_record(series)["latest"]["lesions"]}
    for lesion in series.latest.lesions:
        told = lesions[lesion.id]
        for which, study_of, numbers in (
            ("prior", series.latest.prior, lesion.prior),
            ("current", series.latest.current, lesion.current),
        ):
            found = [study_of.finding(number) for number in numbers]
            assert {name for one in found for name in map(str, one.views)} == set(told["outlines"][which])
            for one in found:
                for name, view in one.views.items():
                    polygons = [polygon[0] for polygon in told["outlines"][which][str(name)]]
                    assert pytest.approx(view.outline[0], rel=1e-4) in polygons  # numbers of JSON have six digits
        for name, mask in lesion.masks.items():
            rows, columns = np.nonzero(mask)
            place = told["places"][str(name)]
            view = next(one for one in series.latest.current.scan.views if one.name is name)
            reach = np.hypot(
                (rows - place["row"]) * view.row_spacing_mm, (columns - place["column"]) * view.column_spacing_mm
            )
            assert reach.max() < 1.5 * place["radius_mm"]  # a circle about a square has sqrt(2) of its half width
