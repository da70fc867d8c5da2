from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.report.phantom import phantom_reading

from bonescan.reading.model import Reading
from bonescan.report.framing import Part, parts_shown, scale_for
from bonescan.report.language import words
from bonescan.report.pictures import (
    FINDING_COLOURS,
    Window,
    display_window,
    draw_crops,
    draw_panel,
    draw_regions,
)
from bonescan.scan import ViewName


def windows_of(reading: Reading) -> dict[ViewName, Window]:
    pairs = zip(reading.scan.views, reading.labels.views, strict=True)
    return {view.name: display_window(view, labelled, reading.findings) for view, labelled in pairs}


def whole(reading: Reading) -> dict[ViewName, Part]:
    return {
        view.name: Part(top=0, bottom=view.counts.shape[0], left=0, right=view.counts.shape[1])
        for view in reading.scan.views
    }


def test_no_count_is_white_and_many_are_black() -> None:
    grey = Window(lower=2.0, upper=12.0).grey(np.array([0.0, 2.0, 7.0, 12.0, 400.0], np.float32))
    np.testing.assert_allclose(grey, [255, 255, 127.5, 0, 0])


def test_neither_bladder_nor_hot_spots_move_the_window(reading: Reading) -> None:
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    window = display_window(view, labelled, reading.findings)
    hotter = view.counts.copy()
    for finding in reading.findings:
        if view.name in finding.views:
            hotter[finding.views[view.name].mask] *= 50
    assert display_window(replace(view, counts=hotter), labelled, reading.findings) == window
    # Witness: the doll's bones have means of 16 to 48 counts per pixel.
    assert 30 < window.upper < 70


def test_an_unlabelled_and_an_empty_view_still_have_a_window(reading: Reading) -> None:
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    bare = replace(labelled, regions=np.zeros_like(labelled.regions), body=np.zeros_like(labelled.body))
    assert display_window(view, bare, ()).upper > display_window(view, bare, ()).lower
    empty = display_window(replace(view, counts=np.zeros_like(view.counts)), bare, ())
    assert (empty.lower, empty.upper) == (0.0, 1.0)


@pytest.mark.parametrize(("row_mm", "column_mm", "shape"), [(1.7, 1.7, (1024, 256)), (3.0, 1.7, (580, 256))])
def test_the_body_is_drawn_in_its_true_proportions(row_mm: float, column_mm: float, shape: tuple[int, int]) -> None:
    reading = phantom_reading(findings=0, shape=shape, row_mm=row_mm, column_mm=column_mm)
    counts = np.zeros(shape, np.float32)
    counts[100:400, 60:200] = 10
    view, labelled = replace(reading.scan.views[0], counts=counts), reading.labels.views[0]
    scale, part = scale_for(reading.scan.views, whole(reading)), whole(reading)[view.name]
    window = Window(lower=0, upper=10)
    image = draw_panel(view, labelled, (), window, words()["picture"], part=part, pixels_per_mm=scale).image
    dark = np.asarray(image.convert("L"))[70:-80, 124:-77] < 128
    # Witness: a block of 300 rows and 140 columns.
    assert dark.any(axis=1).sum() / scale == pytest.approx(300 * row_mm, abs=2 / scale)
    assert dark.any(axis=0).sum() / scale == pytest.approx(140 * column_mm, abs=2 / scale)


def test_letters_stand_outside_the_view_and_never_on_each_other() -> None:
    reading = phantom_reading(findings=60)
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    bone = [f for f in reading.findings if f.kind == "bone" and f.polarity == "hot"]
    drawn = draw_panel(
        view, labelled, bone, windows_of(reading)[view.name], words()["picture"],
        part=whole(reading)[view.name], pixels_per_mm=scale_for(reading.scan.views, whole(reading)),
    )  # fmt: skip
    pixels = np.asarray(drawn.image)
    red = (np.abs(pixels.astype(int) - FINDING_COLOURS["hot"]) < 12).all(axis=2)
    # A letter's box is a run of red at least 20 pixels wide; no outline or leader has one of such height as well.
    from scipy.ndimage import binary_opening, label

    boxes, count = label(binary_opening(red, np.ones((4, 8))))
    columns = np.nonzero(boxes)[1]
    inside = (columns > 116) & (columns < pixels.shape[1] - 70)
    assert not inside.any()
    assert count >= len(bone) - len(drawn.without_letter)


def test_letters_beyond_the_room_are_reported() -> None:
    reading = phantom_reading(findings=120)
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    drawn = draw_panel(
        view, labelled, reading.findings, windows_of(reading)[view.name], words()["picture"],
        part=whole(reading)[view.name], pixels_per_mm=scale_for(reading.scan.views, whole(reading)),
    )  # fmt: skip
    seen = sum(view.name in finding.views for finding in reading.findings)
    assert len(drawn.without_letter) == seen - 50
    assert "A" not in drawn.without_letter


def test_a_finding_of_one_view_is_shown_at_the_same_place_of_the_other(reading: Reading) -> None:
    single = reading.findings[1]
    assert list(single.views) == [ViewName.ANTERIOR]
    crops = draw_crops(single, reading.scan.views, reading.labels.views, windows_of(reading))
    image = np.asarray(crops[ViewName.POSTERIOR][0].convert("L"), float)
    # Witness: the phantom draws every spot into both views, so its middle is dark where the place is right.
    assert image[105:135, 105:135].mean() < 0.6 * image.mean()


def test_the_crop_window_reaches_up_to_the_peak(reading: Reading) -> None:
    finding = reading.findings[0]
    crops = draw_crops(finding, reading.scan.views, reading.labels.views, windows_of(reading))
    for name, seen in finding.views.items():
        assert crops[name][1].upper >= seen.peak_counts


def test_beyond_the_field_of_view_a_crop_is_pale_blue(reading: Reading) -> None:
    finding = next(f for f in reading.findings if f.kind == "artefact")
    image = draw_crops(finding, reading.scan.views, reading.labels.views, windows_of(reading))[ViewName.ANTERIOR][0]
    # Witness: the injection site lies at x = +200 mm, the view ends at +217 mm, the crop reaches 65 mm further.
    assert image.getpixel((230, 120)) == (226, 230, 238)
    assert image.getpixel((20, 120)) != (226, 230, 238)


def test_regions_are_tinted_where_they_are(reading: Reading) -> None:
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    scale, part = scale_for(reading.scan.views, whole(reading), height=1100, width=420), whole(reading)[view.name]
    names = {number: str(number) for number in range(1, 18)}
    window = Window(lower=0, upper=1e6)
    image = draw_regions(view, labelled, window, names, words()["picture"], part=part, pixels_per_mm=scale)
    per_row = (image.height - 60) / view.counts.shape[0]
    rows, columns = np.nonzero(labelled.regions == 12)
    at = (round(168 + (columns[0:1].mean() + 0.5) * per_row), round(44 + (rows.mean() + 0.5) * per_row))
    middle = (round(168 + 127.5 * per_row), at[1])
    colour, between = image.getpixel(at), image.getpixel(middle)
    assert max(colour) - min(colour) > 30
    assert max(between) - min(between) < 5


def test_the_overlay_is_a_lossless_picture_of_the_panel(reading: Reading, files: dict[str, bytes]) -> None:
    view, labelled = reading.scan.views[0], reading.labels.views[0]
    windows = windows_of(reading)
    white = {name: window.lower for name, window in windows.items()}
    parts = parts_shown(reading.scan.views, reading.labels.views, reading.findings, white)
    panel = draw_panel(
        view, labelled, reading.findings, windows[view.name], words()["picture"],
        part=parts[view.name], pixels_per_mm=scale_for(reading.scan.views, parts),
    )  # fmt: skip
    overlay = Image.open(io.BytesIO(files["overlay_anterior.png"]))
    np.testing.assert_array_equal(np.asarray(overlay), np.asarray(panel.image))
