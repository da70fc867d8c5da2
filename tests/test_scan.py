from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.scan import DynamicScan, Injection, Remark, Scan, Severity, TomographicScan, View, ViewName


def view(name: ViewName = ViewName.ANTERIOR, **changes) -> View:
    facts = {
        "name": name,
        "counts": np.arange(12.0).reshape(4, 3),
        "row_spacing_mm": 2.4,
        "column_spacing_mm": 2.2,
        "identity_basis": "ViewCodeSequence",
    }
    return View(**{**facts, **changes})


def test_a_view_keeps_its_counts_for_itself():
    given = np.ones((4, 3))
    kept = view(counts=given)
    given[0, 0] = 99
    assert kept.counts.dtype == np.float32
    assert kept.total_counts == 12
    with pytest.raises(ValueError, match="read-only"):
        kept.counts[0, 0] = 5


def test_total_counts_are_added_in_double_precision():
    # 2**24 is where float32 stops counting by ones; 4096 * 4097 whole counts must not be lost
    picture = np.full((4096, 4097), 1.0, np.float32)
    assert view(counts=picture).total_counts == 4096 * 4097


@pytest.mark.parametrize("shape", [(12,), (1, 12), (12, 1), (2, 2, 3), (0, 0)])
def test_a_view_is_a_picture(shape):
    with pytest.raises(GeometryMismatch, match=r"at least 2 x 2") as caught:
        view(counts=np.zeros(shape))
    assert caught.value.facts["shape"] == shape


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_counts_are_finite_and_not_negative(bad):
    counts = np.ones((3, 3))
    counts[1, 1] = bad
    with pytest.raises(InvalidValue, match="posterior view must be finite and not negative"):
        view(ViewName.POSTERIOR, counts=counts)


@pytest.mark.parametrize("spacing", [0.0, -2.4, 1000.0, float("nan")])
@pytest.mark.parametrize("which", ["row", "column"])
def test_spacing_is_a_length(which, spacing):
    with pytest.raises(InvalidValue, match=f"{which} spacing must lie between 0 and 1000 mm"):
        view(**{f"{which}_spacing_mm": spacing})


def test_views_stand_in_one_order_however_they_are_given():
    posterior, anterior = view(ViewName.POSTERIOR), view(ViewName.ANTERIOR)
    assert [v.name for v in Scan(views=(posterior, anterior)).views] == ["anterior", "posterior"]
    assert [v.name for v in Scan(views=(posterior,)).views] == ["posterior"]


@pytest.mark.parametrize(
    "names", [(), (ViewName.ANTERIOR,) * 2, (ViewName.ANTERIOR, ViewName.POSTERIOR, ViewName.ANTERIOR)]
)
def test_a_scan_has_each_view_once(names):
    with pytest.raises(InvalidValue, match="one anterior view, one posterior view or one of each"):
        Scan(views=tuple(view(name) for name in names))


def test_the_two_views_may_differ_in_size():
    scan = Scan(views=(view(), view(ViewName.POSTERIOR, counts=np.ones((8, 5)))))
    assert [v.counts.shape for v in scan.views] == [(4, 3), (8, 5)]


def test_the_delay_is_known_only_where_both_times_are():
    at_nine, at_noon = datetime(2026, 1, 15, 9), datetime(2026, 1, 15, 12, 30)
    assert Scan(views=(view(),), injection=Injection(injected_at=at_nine), acquired_at=at_noon).delay_h == 3.5
    assert Scan(views=(view(),), injection=Injection(injected_at=at_nine)).delay_h is None
    assert Scan(views=(view(),), acquired_at=at_noon).delay_h is None


def test_a_remark_is_a_note_unless_it_says_more():
    assert Remark(code="dicom.view", text="The file names the view.").severity is Severity.NOTE


def test_what_the_file_does_not_say_is_unknown():
    scan = Scan(views=(view(),))
    facts = (scan.patient, scan.injection, scan.device)
    assert all(getattr(fact, name) is None for fact in facts for name in type(fact).__slots__)
    assert scan.whole_body


def dynamic(**changes) -> DynamicScan:
    facts = {
        "view_names": (ViewName.ANTERIOR, ViewName.POSTERIOR),
        "counts": np.ones((2, 3, 4, 5)),
        "starts_s": (0, 3, 6),
        "durations_s": (3, 3, 3),
        "row_spacing_mm": 4.8,
        "column_spacing_mm": 4.8,
    }
    return DynamicScan(**{**facts, **changes})


def tomographic(**changes) -> TomographicScan:
    facts = {
        "counts": np.ones((1, 2, 4, 6)),
        "energy_windows_kev": ((126.0, 154.0),),
        "angles_deg": (180.0, 0.0),
        "radii_mm": (200.0, 210.0),
        "durations_s": (20.0, 20.0),
        "row_spacing_mm": 4.8,
        "column_spacing_mm": 4.8,
    }
    return TomographicScan(**{**facts, **changes})


def test_the_axis_of_rotation_lies_in_the_middle_unless_told():
    assert tomographic().axis_column == 2.5
    assert tomographic(axis_column=2.0).axis_column == 2.0


@pytest.mark.parametrize("make", [dynamic, tomographic])
def test_pictures_of_a_series_keep_their_counts_for_themselves(make):
    series = make()
    with pytest.raises(ValueError, match="read-only"):
        series.counts[0, 0, 0, 0] = 5
    assert series.delay_h is None


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (dynamic, {"counts": np.ones((2, 2, 4, 5))}),
        (dynamic, {"view_names": (ViewName.ANTERIOR,) * 2}),
        (dynamic, {"starts_s": (0, 3, 3)}),
        (dynamic, {"durations_s": (3, 0, 3)}),
        (dynamic, {"counts": -np.ones((2, 3, 4, 5))}),
        (tomographic, {"counts": np.ones((1, 3, 4, 6))}),
        (tomographic, {"radii_mm": (200.0,)}),
        (tomographic, {"radii_mm": (200.0, 0.0)}),
        (tomographic, {"energy_windows_kev": ((154.0, 126.0),)}),
        (tomographic, {"row_spacing_mm": 0.0}),
        (tomographic, {"counts": np.full((1, 2, 4, 6), np.nan)}),
    ],
)
def test_a_series_that_contradicts_itself_is_refused(make, changes):
    with pytest.raises((InvalidValue, GeometryMismatch)):
        make(**changes)
