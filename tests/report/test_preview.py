from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bonescan.report.preview import Tile, draw_preview


def body(bladder: float = 0.0) -> np.ndarray:
    """A body of 4 counts a pixel with a spine of 30, and a bladder if it has one."""
    counts = np.zeros((200, 60), dtype=np.float32)
    counts[10:190, 10:50] = 4
    counts[30:150, 26:34] = 30
    counts[150:160, 25:35] += bladder
    return counts


def drawn(*rows: list[np.ndarray]) -> np.ndarray:
    tiles = [
        [
            Tile(label=f"picture {k}", counts=counts, row_spacing_mm=5, column_spacing_mm=5)
            for k, counts in enumerate(row)
        ]
        for row in rows
    ]
    png = draw_preview(tiles, "A title", "and a note", "SIMULATED")
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(int)


def test_a_bladder_does_not_turn_the_skeleton_white():
    plain, full = drawn([body()]), drawn([body(bladder=5000)])
    assert plain.shape == full.shape
    top, left, scale = 58, 14, 1024 / 200  # where the picture begins, and how much it is enlarged
    spine = slice(top + int(40 * scale), top + int(140 * scale)), slice(left + int(28 * scale), left + int(32 * scale))
    flesh = slice(top + int(40 * scale), top + int(140 * scale)), slice(left + int(14 * scale), left + int(22 * scale))
    assert abs(plain[spine].mean() - full[spine].mean()) < 25  # grey levels of 255
    assert full[spine].mean() < 130  # dark
    assert full[flesh].mean() > 200  # faint
    assert plain[flesh].mean() - plain[spine].mean() > 80


def test_every_picture_says_that_it_is_simulated():
    empty = np.zeros((200, 60), dtype=np.float32)
    sheet = drawn([empty, empty])
    width = round(60 * 1024 / 200)
    for k in range(2):
        left = 14 + k * (width + 14)
        assert (sheet[60:85, left + 3 : left + 110] < 160).sum() > 50


def test_pictures_say_which_side_of_the_patient_is_where():
    empty = np.zeros((200, 60), dtype=np.float32)
    tiles = [
        Tile(label="", counts=empty, row_spacing_mm=5, column_spacing_mm=5, sides=sides)
        for sides in (("R", "L"), ("", ""))
    ]
    sheet = np.asarray(Image.open(io.BytesIO(draw_preview([tiles], "", "", ""))).convert("L")).astype(int)
    bottom, width = 58 + 1024, round(60 * 1024 / 200)
    for k, least in enumerate((5, 0)):
        left = 14 + k * (width + 14)
        for corner in (slice(left + 3, left + 20), slice(left + width - 20, left + width - 3)):
            dark = (sheet[bottom - 22 : bottom - 3, corner] < 160).sum()
            assert dark >= least if least else dark == 0


def test_objects_stand_in_rows_and_low_ones_are_smaller():
    square = np.ones((50, 50), dtype=np.float32)
    one, two = drawn([square]), drawn([square], [square, square])
    assert two.shape[0] - one.shape[0] == 320 + 26  # a row of pictures and its labels
    assert two.shape[1] > one.shape[1]
    assert drawn([body()]).shape[0] > 1024


def test_an_empty_picture_is_white():
    sheet = drawn([np.zeros((50, 50), dtype=np.float32)])
    assert (sheet[100:300, 30:200] == 255).all()
