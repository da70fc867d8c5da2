"""Which bone shows at a place of a scan, and what a reader calls the place: iliac crest, coracoid process, 7th rib.

The fitted skeleton tells both. Along the ray through a pixel every bone b adds ::

    a_b = integral over the bone along the ray of exp(-mu d(y)) dy

with d(y) the depth behind the side that faces the camera, so that of two ribs that cross in the picture the nearer one
counts more. A bone's score is the mean of a_b over the finding's pixels, summed over the views, each weighted by how
clearly it shows the finding, and times how much of the finding lies in the region that a reader would name. The
local depth of a bone follows from its a_b and its plain length L_b on the same ray, d = -ln(a_b / L_b) / mu, and
says whether the front or the back of a rib is seen.

Named places (``reading/data/sites.csv``) are points of the default skeleton, moved with the fitted pose; a
finding lies at the nearest one of its bone. Bones that meet at a joint share it, so that it is named alike whichever of
them prevails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import TISSUE_MU_PER_MM
from bonescan.anatomy.bones import REGION_NAMES
from bonescan.anatomy.bones import bone as bone_of
from bonescan.anatomy.pose import PARAMETERS, move_points, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.anatomy.tables import rows
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import ViewName

__all__ = ["USUAL", "Atlas", "Place", "Seen", "Site", "atlas_of", "end_of", "side_of", "sites"]

MIDLINE_MM = 12.0
_OTHER_REGION = 0.1  # weight of a bone whose region is not under the spot [C]: names of lesions of simulated people
_KNEE_BONES = ("femur", "tibia", "fibula", "patella")
_FRONT_MM = 150.0  # how far before the body's frame depths are counted from; cancels between bones of one ray
_LATERAL = 0.8  # of a rib's outermost reach, from which it is called lateral [D]
_BESIDE_SPINE_MM, _BESIDE_STERNUM_MM = 42.0, 24.0
_OFF_CENTRE_MM = 13.0  # from a vertebra's or flat bone's middle, from where its side is told [D]: half a vertebral body

USUAL = {
    "joint": "a joint, where wear and muscle pull show more uptake in many healthy people",
    "tip": "a tip that lies along the line of sight, which shows more uptake in many healthy people",
    "overlap": "a place where two bones lie above each other, which shows more uptake in many healthy people",
    "face": "a place of the face, where teeth and sinuses show more uptake in many healthy people",
}
"""Why a place is a usual one of normal uptake."""

_FACE = ("skull_ethmoid", "skull_inferior", "skull_lacrimal", "skull_maxilla", "skull_nasal", "skull_palatine",
         "skull_sphenoid", "skull_vomer", "skull_zygomatic", "mandible")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One named place of one side of the fitted skeleton.

    Parameters
    ----------
    id : str
        As in ``sites.csv``, e.g. ``"iliac_crest"``.
    words : str
        With its side: ``"left iliac crest"``.
    bones : tuple of str
        Ids of the bones that meet there.
    over : tuple of str
        Ids of bones before or behind it, which give it up to the first of `bones`.
    point_mm : (x, y, z)
        In the default skeleton.
    segment : int
        Index into `SEGMENTS`, with which it moves.
    reach_mm : float
        Farthest a finding may lie that is called by this place.
    shown : str
        ``"front"``, ``"back"`` or ``"both"``: the view it is seen from.
    usual : str
        Key of `USUAL`, empty where normal uptake is not raised.
    end : str
        ``"proximal"`` or ``"distal"`` quarter of a limb's bone, empty elsewhere.
    """

    id: str
    words: str
    bones: tuple[str, ...]
    over: tuple[str, ...]
    point_mm: tuple[float, float, float]
    segment: int
    reach_mm: float
    shown: str
    usual: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What lies at a finding.

    Parameters
    ----------
    bone : str
        Bone id; empty where none lies there.
    site : str
        Id of the named place; empty where the bone has none.
    words : str
        As a reader writes it.
    usual : str
        Key of `USUAL`, empty where normal uptake is not raised.
    """

    bone: str
    site: str
    words: str
    usual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A finding's pixels in one view, and how clearly it shows there (standard deviations)."""

    mask: NDArray[np.bool_]
    significance: float


@cache
def sites() -> tuple[Site, ...]:
    """All named places, both sides.

    Returns
    -------
    tuple of Site
    """
    number = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    known = default_skeleton().bones
    found = []
    for row in rows("sites", "reading"):
        x, y, z = (float(row[key]) for key in "xyz")
        paired = row["symmetry"] == "paired"
        for side, sign, word in (("_l", 1, "left "), ("_r", -1, "right ")) if paired else (("", 1, ""),):
            own, over = (
                tuple(name if name in known else name + side for name in row[key].split()) for key in ("bones", "over")
            )
            segment = row["segment"] if row["segment"] in number else row["segment"] + side
            found.append(
                Site(
                    id=row["site"],
                    words=word + row["words"],
                    bones=own,
                    over=over,
                    point_mm=(sign * x, y, z),
                    segment=number[segment],
                    reach_mm=float(row["reach"] or math.inf),
                    shown=row["shown"],
                    usual=row["usual"],
                    end=row["end"],
                )
            )
    return tuple(found)


@cache
def end_of(site: str) -> str:
    """Say at which end of a limb's bone a named place lies.

    Parameters
    ----------
    site : str
        Id of a place, or empty.

    Returns
    -------
    str
        ``"proximal"``, ``"distal"``, or empty for a shaft and for other bones.
    """
    return next((one.end for one in sites() if one.id == site), "")


def atlas_of(labels: Labels) -> Atlas:
    """Prepare the fitted skeleton of a scan for naming.

    Parameters
    ----------
    labels : Labels
        Those without a fitted pose are named by their bones' shadows alone.

    Returns
    -------
    Atlas
    """
    if not all(parameter.name in labels.parameters for parameter in PARAMETERS):
        return Atlas(labels=labels, points_mm=None, faint={})
    pose = np.array([labels.parameters[parameter.name] for parameter in PARAMETERS])
    every = sites()
    points = move_points(np.array([one.point_mm for one in every]), np.array([one.segment for one in every]), pose)
    posed = pose_skeleton(default_skeleton(), pose)
    faint = {}
    for view in labels.views:
        side = -1 if view.name is ViewName.ANTERIOR else 1
        plane = np.full_like(view.x_mm, side * _FRONT_MM)
        shadows = project_bones(posed, view.x_mm, view.z_mm, skin_mm=plane, side=side, mu_per_mm=TISSUE_MU_PER_MM)
        known = {one.bone for one in view.bones}
        faint[view.name] = {
            one.bone: BoneMap(
                bone=one.bone, row=one.row, column=one.column, thickness_mm=one.length_mm, depth_mm=math.nan
            )
            for one in shadows
            if one.bone in known
        }
    return Atlas(labels=labels, points_mm=points, faint=faint)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Atlas:
    """The fitted skeleton as it names findings.

    Parameters
    ----------
    labels : Labels
    points_mm : (site, 3) ndarray or None
        Where the places of `sites` lie in the body's frame.
    faint : mapping of ViewName to mapping of str to BoneMap
        By bone, its attenuated length along the rays of each view; empty without a fitted pose.
    """

    labels: Labels
    points_mm: NDArray[np.float64] | None
    faint: Mapping[ViewName, Mapping[str, BoneMap]]

    def place(self, seen: Mapping[ViewName, Seen], region: int, x_mm: float, z_mm: float, bone: str = "") -> Place:
        """Name the bone and the place of one finding.

        Parameters
        ----------
        seen : mapping of ViewName to Seen
        region : int
            That most of it lies in.
        x_mm, z_mm : float
            Its centre in the body's frame.
        bone : str
            The bone, where somebody knows it.

        Returns
        -------
        Place
        """
        own = bone or self._bone(seen)
        if not own:
            return Place(bone="", site="", words=f"{REGION_NAMES.get(region, 'bone')}, {side_of(x_mm)}")
        site = self._site(own, seen, x_mm, z_mm)
        if site is not None and (not bone or bone in site.bones):
            return Place(
                bone=own if own in site.bones else site.bones[0], site=site.id, words=site.words, usual=site.usual
            )
        words, usual = self._part(own, seen, x_mm, z_mm)
        return Place(bone=own, site="", words=words, usual=usual)

    def _bone(self, seen: Mapping[ViewName, Seen]) -> str:
        """The bone that adds most along the rays of the finding; see the module's equation.

        Bones of the regions that a reader would name come first, by their share of the finding: behind a vertebra of
        the neck lies much jaw, which is not what is seen. A knee holds the ends of femur and shank.
        """
        scores: dict[str, float] = {}
        named = np.zeros(len(REGION_NAMES) + 1)
        for view in self._views(seen):
            one = seen[view.name]
            named += np.bincount(view.regions[one.mask], minlength=len(named)) / one.mask.sum()
            for bone, inside in self._lengths(view, one.mask):
                scores[bone] = scores.get(bone, 0.0) + abs(one.significance) * inside / float(one.mask.sum())
        named[0] *= 0.1
        named /= named.sum()

        def weighted(bone: str) -> float:
            own = named[bone_of(bone).region]
            own = max(own, named[15]) if bone.startswith(_KNEE_BONES) else own
            return float(scores[bone] * (_OTHER_REGION + own))

        return max(scores, key=weighted, default="")

    def _views(self, seen: Mapping[ViewName, Seen]) -> list[LabelledView]:
        return [view for view in self.labels.views if view.name in seen]

    def _lengths(self, view: LabelledView, mask: NDArray[np.bool_]) -> Iterable[tuple[str, float]]:
        """Bones under a mask, with the sum of their attenuated lengths over it."""
        faint = self.faint.get(view.name)
        if faint is not None:
            for bone, shadow in faint.items():
                inside = float(shadow.thickness_mm[_crop(mask, shadow)].sum())
                if inside > 0:
                    yield bone, inside
            return
        for shadow in view.bones:
            inside = float(shadow.thickness_mm[_crop(mask, shadow)].sum())
            if inside > 0:
                yield shadow.bone, inside * math.exp(-TISSUE_MU_PER_MM * shadow.depth_mm)

    def _site(self, bone: str, seen: Mapping[ViewName, Seen], x_mm: float, z_mm: float) -> Site | None:
        """The nearest named place of a bone that is shown from where the finding is seen."""
        if self.points_mm is None:
            return None
        best, nearest = None, math.inf
        clearest = max(seen, key=lambda name: abs(seen[name].significance))
        away = "back" if clearest is ViewName.ANTERIOR else "front"
        for one, point in zip(sites(), self.points_mm, strict=True):
            apart = math.hypot(point[0] - x_mm, point[2] - z_mm)
            if bone in one.bones + one.over and one.shown != away and apart <= one.reach_mm and apart < nearest:
                best, nearest = one, apart
        return best

    def _part(self, bone: str, seen: Mapping[ViewName, Seen], x_mm: float, z_mm: float) -> tuple[str, str]:
        """A bone without named places: its name, and which part of it; and whether normal uptake is raised there."""
        name = bone_of(bone).name
        view = max(self._views(seen), key=lambda one: abs(seen[one.name].significance))
        shadow = next((one for one in view.bones if one.bone == bone), None)
        if bone.startswith("rib_"):
            return (f"{name}, {self._part_of_rib(shadow, view, seen, x_mm)}", "") if shadow else (name, "")
        usual = "face" if bone.startswith(_FACE) and ViewName.POSTERIOR not in seen else ""
        if bone_of(bone).side == "midline" and shadow is not None:
            rows_, columns = np.nonzero(shadow.thickness_mm > 0)
            middle = float(view.x_mm[rows_ + shadow.row, columns + shadow.column].mean())
            if abs(x_mm - middle) > _OFF_CENTRE_MM:
                return f"{name}, {'left' if x_mm > middle else 'right'} side", usual
        return name, usual

    def _part_of_rib(self, shadow: BoneMap, view: LabelledView, seen: Mapping[ViewName, Seen], x_mm: float) -> str:
        rows_, columns = np.nonzero(shadow.thickness_mm > 0)
        outermost = float(np.abs(view.x_mm[rows_ + shadow.row, columns + shadow.column]).max())
        if abs(x_mm) > _LATERAL * outermost:
            return "lateral"
        depth = self._depth_mm(shadow.bone, seen)
        behind = view.name is ViewName.POSTERIOR if depth is None else depth > 0
        if behind:
            return "posterior, beside the spine" if abs(x_mm) < _BESIDE_SPINE_MM else "posterior"
        return "anterior"

    def _depth_mm(self, bone: str, seen: Mapping[ViewName, Seen]) -> float | None:
        """Where the bone lies along the rays of a finding, +y posterior; ``None`` without a fitted pose."""
        total = weight = 0.0
        for view in self._views(seen):
            mask = seen[view.name].mask
            plain = next((one for one in view.bones if one.bone == bone), None)
            faint = self.faint.get(view.name, {}).get(bone)
            if plain is None or faint is None:
                continue
            length = float(plain.thickness_mm[_crop(mask, plain)].sum())
            left = float(faint.thickness_mm[_crop(mask, faint)].sum())
            if length > 0 and left > 0:
                depth = -math.log(left / length) / TISSUE_MU_PER_MM
                side = -1 if view.name is ViewName.ANTERIOR else 1
                total += abs(seen[view.name].significance) * side * (_FRONT_MM - depth)
                weight += abs(seen[view.name].significance)
        return total / weight if weight else None


def _crop(mask: NDArray[np.bool_], one: BoneMap) -> NDArray[np.bool_]:
    return mask[one.box]


def side_of(x_mm: float) -> str:
    """Say on which side of the body a place lies.

    Parameters
    ----------
    x_mm : float
        In the body's frame, +x the patient's left.

    Returns
    -------
    str
        ``"left"``, ``"right"`` or ``"midline"``.
    """
    if abs(x_mm) <= MIDLINE_MM:
        return "midline"
    return "left" if x_mm > 0 else "right"
