"""What is true of one study, as values: from the documented form of a truth folder, whoever wrote it.

Nothing here opens a file, and nothing that reads a scan can import it: the room stands beside `patient`, above
`reading`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import UnreadableInput
from bonescan.reading.model import Polarity
from bonescan.scan import ViewName

__all__ = [
    "VISIBLE_CONTRAST",
    "VISIBLE_SNR",
    "Appearance",
    "TrueSpot",
    "TrueView",
    "Truth",
    "picture_names",
    "truth_of",
]

VISIBLE_SNR = 5.0
"""Signal-to-noise ratio from which a spot of known form can be told from noise at a place nobody named.

Rose's criterion, 5 [M]: an observer who searches some thousand places needs about so much to make no false alarm.
"""

VISIBLE_CONTRAST = 1.3
"""Contrast from which a spot stands out from normal bone, whose own uptake varies.

Counts are not all: a spot 10 % above its bone has a ratio of 5 in a long scan and cannot be told from an end plate.
Normal bone of one region varies by 7 to 14 % about what is expected of it (the reading room's measured spreads), so 1.3
is two to four of those [D].
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How one view shows a spot.

    Parameters
    ----------
    row, column : int
        Where it adds or takes most.
    polarity : Polarity
    contrast : float
        Expected picture with it over that without it, at its peak; infinite where nothing else would be.
    snr : float
        Of an observer who knows its picture and place and decides by Poisson counts alone.
    area_mm2 : float
        Of the pixels with at least half its peak.
    """

    row: int
    column: int
    polarity: Polarity
    contrast: float
    snr: float
    area_mm2: float

    @property
    def visible(self) -> bool:
        """Whether it is hot and can be seen: `VISIBLE_SNR` and `VISIBLE_CONTRAST` at least."""
        return self.polarity is Polarity.HOT and self.snr >= VISIBLE_SNR and self.contrast >= VISIBLE_CONTRAST


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueSpot:
    """A lesion, or a disturbance that is none.

    Parameters
    ----------
    number : int
        Pixel value in the map of lesions.
    kind, nature : str
        In the words of the truth; ``"disturbance"`` is the nature of a disturbance.
    metastasis : bool
    bones : mapping of str to float
        Volume by bone, ml; the bone it belongs to first.
    volume_ml : float
    views : mapping of ViewName to Appearance
        Where it changes the picture.
    """

    number: int
    kind: str
    nature: str
    metastasis: bool
    bones: Mapping[str, float]
    volume_ml: float
    views: Mapping[ViewName, Appearance]

    @property
    def visible(self) -> bool:
        """Whether some view shows it, as `Appearance.visible`."""
        return any(seen.visible for seen in self.views.values())

    @property
    def best(self) -> Appearance | None:
        """The view with the largest signal-to-noise ratio."""
        return max(self.views.values(), key=lambda seen: seen.snr, default=None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueView:
    """Maps of one view, as far as they are there.

    Parameters
    ----------
    regions : (row, column) ndarray of uint8 or None
        Planar region ids.
    lesions : (row, column) ndarray of uint16 or None
        Numbers of lesions.
    pixel_mm : (row, column)
        Size of a pixel; absent where nobody told it.
    """

    regions: NDArray[np.uint8] | None = None
    lesions: NDArray[np.uint16] | None = None
    pixel_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What is true of one study.

    Parameters
    ----------
    views : mapping of ViewName to TrueView
    lesions : tuple of TrueSpot or None
        ``None`` where only regions are known.
    disturbances : tuple of TrueSpot
    bone_scan_index_percent, bone_scan_index_by_bone_mass_percent : float or None
        By mineral, and by mineral and marrow.
    facts : mapping
        What figures are broken down by: ``sex``, ``age_years``, ``mass_kg``, ``girth``, ``camera``, ``counts``.
    """

    views: Mapping[ViewName, TrueView]
    lesions: tuple[TrueSpot, ...] | None = None
    disturbances: tuple[TrueSpot, ...] = ()
    bone_scan_index_percent: float | None = None
    bone_scan_index_by_bone_mass_percent: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str | None:
        """``"metastatic"``, ``"benign"`` (other lesions only), ``"normal"`` (no lesion); ``None`` where unknown."""
        if self.lesions is None:
            return None
        if any(lesion.metastasis for lesion in self.lesions):
            return "metastatic"
        return "benign" if self.lesions else "normal"


def picture_names(record: Mapping[str, Any]) -> dict[ViewName, str]:
    """Which pictures of a truth belong to the views that are read.

    Parameters
    ----------
    record : mapping
        The content of ``truth.json``.

    Returns
    -------
    dict of ViewName to str
        Names as in ``regions_<name>.png``: of a whole-body pass, else of the delayed views, else of one spot view.

    Raises
    ------
    UnreadableInput
        For a study without planar views, or with spot views of several places.
    """
    names = [(ViewName(picture["view"]), str(picture["name"])) for picture in record.get("pictures", ())]
    for wanted in ("", "delayed_", "spot_"):
        chosen = [(view, name) for view, name in names if name.startswith(wanted) and (wanted or name == view)]
        if chosen and len(dict(chosen)) == len(chosen):
            return dict(chosen)
    raise UnreadableInput("The truth tells of no planar views of one place, which is what can be compared.")


def truth_of(
    record: Mapping[str, Any] | None,
    regions: Mapping[ViewName, NDArray[np.uint8]],
    lesions: Mapping[ViewName, NDArray[np.uint16]],
) -> Truth:
    """Put together what is true of one study.

    Parameters
    ----------
    record : mapping or None
        The content of ``truth.json``, version 1; ``None`` where only maps are known.
    regions, lesions : mapping of ViewName to (row, column) ndarray
        The maps that are there.

    Returns
    -------
    Truth

    Raises
    ------
    UnreadableInput
        When the record is of another version or lacks what it must hold.
    """
    if record is None:
        return Truth(views={view: TrueView(regions=regions[view]) for view in regions})
    if not str(record.get("schema_version", "")).startswith("1."):
        raise UnreadableInput("The truth is of another version than 1; it cannot be compared.")
    try:
        names = picture_names(record)
        pictures = {picture["name"]: picture for picture in record["pictures"]}
        views = {
            view: TrueView(
                regions=regions.get(view),
                lesions=lesions.get(view),
                pixel_mm=(pictures[name]["row_spacing_mm"], pictures[name]["column_spacing_mm"]),
            )
            for view, name in names.items()
        }
        person = record["person"]
        counts = [pictures[name]["counts"] for name in names.values()]
        return Truth(
            views=views,
            lesions=tuple(_spot(one, names, disturbance=False) for one in record["lesions"]),
            disturbances=tuple(_spot(one, names, disturbance=True) for one in record["disturbances"]),
            bone_scan_index_percent=record["burden"]["bone_scan_index_percent"],
            bone_scan_index_by_bone_mass_percent=record["burden"]["bone_scan_index_by_bone_mass_percent"],
            facts={
                **{name: person[name] for name in ("sex", "age_years", "mass_kg", "girth")},
                "camera": record["camera"],
                "counts": sum(counts) / len(counts),
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"The truth lacks what it must hold ({error}); see the page Outputs.") from error


def _spot(one: Mapping[str, Any], names: Mapping[ViewName, str], *, disturbance: bool) -> TrueSpot:
    views = {
        view: Appearance(
            row=seen["peak"]["row"],
            column=seen["peak"]["column"],
            polarity=Polarity(seen["polarity"]),
            contrast=math.inf if seen["contrast"] is None else seen["contrast"],
            snr=seen["snr"] or 0.0,
            area_mm2=seen["area_mm2"],
        )
        for view, name in names.items()
        if (seen := one["views"].get(name)) is not None
    }
    own = one["bone"]
    bones = {own: one["bones"].get(own) or 0.0} if own else {}
    return TrueSpot(
        number=one["number"],
        kind=one["kind"],
        nature="disturbance" if disturbance else one["nature"] or "unknown",
        metastasis=bool(one["metastasis"]),
        bones=bones | one["bones"],
        volume_ml=one["volume_ml"] or 0.0,
        views=views,
    )
