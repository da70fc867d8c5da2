"""A person of boxes: where every bone lies is known by construction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import Scan, View, ViewName

PIXEL_MM = 4.0
ROWS, COLUMNS = 480, 160
TOP_MM = 1800.0

# bone: half width, x of the left one's middle (0 for the midline), lowest and highest z, all mm; depth from the front
BOXES = {
    "skull_parietal": (70, 0, 1500, 1706, 60),
    "vertebra_c05": (20, 0, 1440, 1500, 60),
    "vertebra_t06": (25, 0, 1160, 1440, 130),
    "sternum_body": (20, 0, 1250, 1400, 20),
    "rib_07": (50, 90, 1150, 1400, 80),
    "clavicle": (60, 90, 1400, 1420, 30),
    "scapula": (30, 110, 1280, 1400, 150),
    "humerus": (14, 185, 1110, 1400, 60),
    "vertebra_l02": (25, 0, 1110, 1150, 120),
    "vertebra_l03": (25, 0, 1070, 1110, 120),
    "vertebra_l04": (25, 0, 1030, 1070, 120),
    "sacrum": (40, 0, 930, 1020, 150),
    "hip_bone": (40, 80, 824, 1020, 90),
    "radius": (8, 195, 860, 1105, 60),
    "ulna": (8, 215, 860, 1105, 60),
    "metacarpal_3": (30, 205, 760, 855, 50),
    "femur": (16, 90, 444, 880, 80),
    "tibia": (18, 90, 60, 440, 50),
    "tarsal_calcaneus": (20, 90, 4, 56, 40),
}
MIDLINE = ("skull_parietal", "vertebra", "sternum", "sacrum")
THICK_MM = 240.0


@dataclass
class Person:
    """What a test may change before it takes the pictures."""

    counts: float = 2.0e6
    soft_tissue: float = 0.12
    spots: list[tuple[float, float, float, float]] = field(default_factory=list)  # x, z, radius mm, times lumbar spine
    rows: slice = field(default_factory=lambda: slice(None))
    spacing_mm: tuple[float, float] = (PIXEL_MM, PIXEL_MM)

    def rates(self, name: ViewName) -> tuple[np.ndarray, tuple[BoneMap, ...], np.ndarray, np.ndarray, np.ndarray]:
        row, column = np.indices((ROWS, COLUMNS), np.float32)
        sign = 1 if name is ViewName.ANTERIOR else -1
        x = (sign * (column - (COLUMNS - 1) / 2) * PIXEL_MM).astype(np.float32)
        z = (TOP_MM - (row + 0.5) * PIXEL_MM).astype(np.float32)
        body = (np.abs(x) < np.where(z > 1420, 80, np.where(z > 740, 240, 150))) & (z > 0) & (z < 1715)
        body &= ~((np.abs(x) < 40) & (z < 780))
        rate = self.soft_tissue * body
        maps = []
        for stem, (half, middle, low, high, depth) in BOXES.items():
            sides = ("",) if middle == 0 and stem.startswith(MIDLINE) else ("_l", "_r")
            for side in sides:
                centre = middle * (-1 if side == "_r" else 1)
                bone_id = "skull_parietal_l" if stem == "skull_parietal" else stem + side
                inside = (np.abs(x - centre) <= half) & (z >= low) & (z <= high)
                rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
                box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                maps.append(
                    BoneMap(
                        bone=bone_id,
                        row=int(rows[0]),
                        column=int(columns[0]),
                        thickness_mm=np.where(inside[box], 20, 0).astype(np.float32),
                        depth_mm=depth if name is ViewName.ANTERIOR else THICK_MM - depth,
                    )
                )
                rate = np.maximum(rate, inside * (1.0 if stem.startswith("vertebra") else 0.6))
        for spot_x, spot_z, radius, times in self.spots:
            rate = np.where(np.hypot(x - spot_x, z - spot_z) < radius, times, rate)
        return rate, tuple(maps), body, x, z

    def view(self, name: ViewName, rng: np.random.Generator, **facts: object) -> tuple[View, LabelledView]:
        rate, maps, body, x, z = self.rates(name)
        kept = self.rows.indices(ROWS)
        counts = rng.poisson(rate * self.counts / rate.sum())[self.rows].astype(np.float32)
        seen = []
        for one in maps:
            top, bottom = max(one.row, kept[0]), min(one.row + one.thickness_mm.shape[0], kept[1])
            if top < bottom:
                shown = one.thickness_mm[top - one.row : bottom - one.row]
                seen.append(
                    BoneMap(
                        bone=one.bone, row=top - kept[0], column=one.column, thickness_mm=shown, depth_mm=one.depth_mm
                    )
                )
        view = View(
            name=name,
            counts=counts,
            row_spacing_mm=self.spacing_mm[0],
            column_spacing_mm=self.spacing_mm[1],
            identity_basis="made for a test",
            **facts,
        )
        labelled = LabelledView(
            name=name,
            regions=np.zeros(counts.shape, np.uint8),
            bones=tuple(seen),
            body=body[self.rows],
            x_mm=x[self.rows],
            z_mm=z[self.rows],
            correlation=0.9,
        )
        return view, labelled

    def scanned(self, **facts: object) -> tuple[Scan, Labels]:
        rng = np.random.default_rng(7)
        pairs = [self.view(name, rng, **facts) for name in ViewName]
        labels = Labels(views=tuple(pair[1] for pair in pairs), trusted=True, regions_in_view=frozenset(range(1, 18)))
        return Scan(views=tuple(pair[0] for pair in pairs)), labels
