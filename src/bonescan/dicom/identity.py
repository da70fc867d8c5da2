"""Which view a frame is, which end is up, and whether its pixels are detected counts.

Files are believed before pictures, in this order: view code, detector start
angle, vendor names, detector order, and last what the picture itself shows.
The picture is nevertheless always asked; where it clearly contradicts the
file, a warning says so.

Notes
-----
*Anterior or posterior.* In a body whose top and bottom are the 0.4 % and 99.6 %
quantiles of the row sums, ``band(a, b, u, v)`` is the mean count between the
fractions `a` and `b` of its height and between `u` and `v` of its height from the
midline. With

    L = ln band(.28, .36, 0, .012) / band(.17, .26, 0, .012)     lumbar against thoracic midline
    S = ln band(.28, .36, 0, .012) / band(.28, .36, .03, .06)    lumbar spine against its flanks
    F = ln band(.07, .11, 0, .025) / band(.015, .055, 0, .025)   face against forehead

the log-odds of posterior are ``40 L + 10.5 S - 8 F + 5.7``. L decides: seen from
the front, the lumbar spine lies behind some 15 cm of tissue while sternum and
spine add up in the thorax; seen from behind, both are equally near. The weights
are a linear discriminant of 23 anterior and 22 posterior views of 23 people (leaving each person
out in turn, none was wrong). Disease of the lumbar spine or sternum can deceive it,
so it is called uncertain below 3, and a picture shorter than 1.3 m, which lacks the legs, is not judged.

*Raw counts.* Detected counts are Poisson and independent from pixel to pixel. For
the mixed second difference ``d = x00 - x10 - x01 + x11``, which hardly sees the
body, ``var d / mean(x00 + x10 + x01 + x11) = 1`` and ``d`` is uncorrelated two
pixels on. Filtering or resampling breaks the second, scaling the first: the NEMA sample NM1 gives 1.00 and
0.01; resampled 8-bit exports correlations of -0.15 to -0.32 along the rows' axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom.frames import Frame
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import Remark, Severity, ViewName

__all__ = ["Identified", "identify", "noise_departure", "posterior_log_odds", "turn_head_up", "view_words"]

CERTAIN_LOG_ODDS = 3.0
MIN_BODY_MM = 1300  # a grown body that ends at the knees is shorter
_NOISE_SAMPLES = 2000

_CODES = {
    # PS3.16 CID 26, in SNOMED CT and in the SRT spelling of older files.
    "399321004": ViewName.ANTERIOR,
    "399001007": ViewName.POSTERIOR,
    "G-5215": ViewName.ANTERIOR,
    "G-5216": ViewName.POSTERIOR,
}
_WORDS = {
    ViewName.ANTERIOR: re.compile(
        r"(?<![a-z])(an|ant|anterior|anterieure?|antérieure?|ap|ventral|vorne|front|frontal)(?![a-z])"
    ),
    ViewName.POSTERIOR: re.compile(
        r"(?<![a-z])(po|pos|post|posterior|posterieure?|postérieure?|pa|dorsal|hinten|back)(?![a-z])"
    ),
}
_OBLIQUE = re.compile(r"(?<![a-z])(lat|lateral|llat|rlat|obl|oblique|lao|rao|lpo|rpo|vertex|caudal|cranial)(?![a-z])")
_LEFT, _RIGHT = r"(?<![a-z])(l|lt|left|links|li)[ ._-]*", r"(?<![a-z])(r|rt|right|rechts|re)[ ._-]*"
_ANT, _POST = r"(ant|anterior)[ ._-]*", r"(post|posterior)[ ._-]*"
_OBLIQUE_WORDS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("left lateral", rf"{_LEFT}lat|lat(eral)?[ ._-]*(l|lt|left|links|li)(?![a-z])"),
        ("right lateral", rf"{_RIGHT}lat|lat(eral)?[ ._-]*(r|rt|right|rechts|re)(?![a-z])"),
        ("left anterior oblique", rf"(?<![a-z])lao(?![a-z])|{_LEFT}{_ANT}obl"),
        ("right anterior oblique", rf"(?<![a-z])rao(?![a-z])|{_RIGHT}{_ANT}obl"),
        ("left posterior oblique", rf"(?<![a-z])lpo(?![a-z])|{_LEFT}{_POST}obl"),
        ("right posterior oblique", rf"(?<![a-z])rpo(?![a-z])|{_RIGHT}{_POST}obl"),
    )
)
_AROUND = (  # in steps of 45 degrees from the back towards the left side (PS3.3 C.8.4.11, Start Angle)
    "posterior",
    "left posterior oblique",
    "left lateral",
    "left anterior oblique",
    "anterior",
    "right anterior oblique",
    "right lateral",
    "right posterior oblique",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A frame that has got its name."""

    frame: Frame
    name: ViewName
    basis: str


def view_in_words(words: str) -> ViewName | None:
    """Return the one view that the words name; ``None`` for neither or both."""
    lowered = words.lower()
    named = [name for name, pattern in _WORDS.items() if pattern.search(lowered)]
    return named[0] if len(named) == 1 else None


def _by_code(frame: Frame) -> ViewName | None:
    for value, meaning in frame.view_codes:
        found = _CODES.get(value.upper()) or view_in_words(f"{value} {meaning}")
        if found:
            return found
    return None


def _by_angle(frame: Frame) -> ViewName | None:
    """Zero degrees is the patient's back (PS3.3 C.8.4.11, Start Angle)."""
    if frame.start_angle_deg is None:
        return None
    angle = frame.start_angle_deg % 360
    if min(angle, 360 - angle) <= 30:
        return ViewName.POSTERIOR
    return ViewName.ANTERIOR if abs(angle - 180) <= 30 else None


def _by_names(frame: Frame) -> ViewName | None:
    for _, words in frame.vendor_names:
        found = view_in_words(words)
        if found:
            return found
    return None


def _by_order(frame: Frame) -> ViewName | None:
    if frame.position_count != 2:
        return None
    return (ViewName.ANTERIOR, ViewName.POSTERIOR)[frame.position]


_BASES = (
    ("ViewCodeSequence", "view_code", _by_code),
    ("StartAngle", "start_angle", _by_angle),
    ("vendor names", "vendor_name", _by_names),
    ("detector order", "detector_order", _by_order),
)


def _is_oblique(frame: Frame) -> bool:
    said = [f"{value} {meaning}".lower() for value, meaning in frame.view_codes]
    if any(_OBLIQUE.search(words) for words in said):
        return True
    if _by_code(frame) or frame.start_angle_deg is None:
        return False
    angle = frame.start_angle_deg % 360
    return _by_angle(frame) is None and min(abs(angle - 90), abs(angle - 270)) <= 45 and not _by_names(frame)


def view_words(frame: Frame) -> str:
    """Say from where a frame looks, oblique views too, in words of our own, as far as its file does.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    str
        ``"anterior"``, ``"posterior"``, ``"left lateral"``, ``"left anterior oblique"`` and the like; empty where the
        file does not say, or says it in words that are not known.
    """
    said = [f"{value} {meaning}".lower() for value, meaning in frame.view_codes]
    said += [words.lower() for _, words in frame.vendor_names]
    for words in said:
        if _OBLIQUE.search(words):
            found = [name for name, pattern in _OBLIQUE_WORDS if pattern.search(words)]
            return found[0] if len(found) == 1 else ""
    straight = _by_code(frame) or _by_names(frame)
    if straight:
        return str(straight)
    if frame.start_angle_deg is None:
        return ""
    return _AROUND[round(frame.start_angle_deg % 360 / 45) % 8]


def identify(frames: Sequence[Frame], *, view: ViewName | None, flip: bool) -> tuple[list[Identified], list[Remark]]:
    """Name one or two frames.

    Parameters
    ----------
    frames : one or two Frame
    view : ViewName or None
        What the user says the only (or the first) frame is.
    flip : bool
        Whether the user says that anterior and posterior are exchanged.

    Returns
    -------
    identified : list of Identified
        The frames that are read, in their order, each with its view and in words what that rests on.
    remarks : list of Remark
        What the views were taken as, what was left out, and where the picture contradicts the file.

    Raises
    ------
    NotABoneScan
        Only lateral or oblique views, or the same view twice.
    """
    remarks: list[Remark] = []
    straight = [frame for frame in frames if not _is_oblique(frame)] if view is None else list(frames)
    if not straight:
        raise NotABoneScan("The input holds only lateral or oblique views; give an anterior or posterior one.")
    if len(straight) < len(frames):
        remarks.append(
            Remark(
                code="dicom.view.oblique",
                text="Lateral or oblique views were left out; only anterior and posterior ones are read.",
                severity=Severity.WARNING,
            )
        )
    if view is not None:
        names = [view, _other(view)][: len(straight)]
        basis, code = "the user", "user"
    else:
        names, basis, code, found = _from_evidence(straight)
        remarks += found
    if flip:
        names = [_other(name) for name in names]
        basis, code = f"{basis}, exchanged by the user", "flipped"
    said = " and ".join(f"frame {k + 1} {name}" for k, name in enumerate(names)) if len(names) > 1 else f"{names[0]}"
    remarks.append(Remark(code=f"dicom.view.{code}", text=f"The view was taken as {said}, going by {basis}."))
    if view is None and not flip and code != "image":
        remarks += _contradictions(straight, names, basis)
    pairs = zip(straight, names, strict=True)
    return [Identified(frame=frame, name=name, basis=basis) for frame, name in pairs], remarks


def _other(name: ViewName) -> ViewName:
    return ViewName.POSTERIOR if name is ViewName.ANTERIOR else ViewName.ANTERIOR


def _from_evidence(frames: Sequence[Frame]) -> tuple[list[ViewName], str, str, list[Remark]]:
    remarks: list[Remark] = []
    verdicts: list[tuple[str, str, list[ViewName]]] = []
    for basis, code, judge in _BASES:
        found = [judge(frame) for frame in frames]
        if len(frames) == 2 and None in found and any(found):
            # Of two views, one that is named names the other.
            first, second = found
            found = [first or _other(second), second or _other(first)] if first or second else found  # type: ignore[arg-type]
        known = [name for name in found if name is not None]
        if len(known) < len(frames):
            continue
        if len(set(known)) < len(known):
            remarks.append(
                Remark(
                    code=f"dicom.view.{code}.useless",
                    text=f"{basis[0].upper()}{basis[1:]} gives both views the same name ({known[0]}) and was not used.",
                    severity=Severity.WARNING,
                )
            )
            continue
        verdicts.append((basis, code, known))
    if not verdicts:
        names, found_remarks = _from_picture(frames)
        return names, "what the picture itself shows", "image", [*remarks, *found_remarks]
    basis, code, names = verdicts[0]
    for other_basis, _, other_names in verdicts[1:]:
        if other_names != names and other_basis != "detector order":
            remarks.append(
                Remark(
                    code="dicom.view.conflict",
                    text=f"{other_basis[0].upper()}{other_basis[1:]} contradicts {basis} on which view is anterior; "
                    f"{basis} was believed; check it.",
                    severity=Severity.WARNING,
                )
            )
    if code == "detector_order":
        remarks.append(
            Remark(
                code="dicom.view.assumed",
                text="The file does not name its views; by common practice the first detector was taken as anterior.",
                severity=Severity.NOTE if _picture_agrees(frames, names) else Severity.WARNING,
            )
        )
    return names, basis, code, remarks


def _from_picture(frames: Sequence[Frame]) -> tuple[list[ViewName], list[Remark]]:
    odds = [_odds(frame) for frame in frames]
    if len(frames) == 1:
        lean = odds[0]
        if lean is None:
            raise UnreadableInput(
                "Neither the file nor the picture says which view this is; say it with --view anterior or posterior."
            )
        names, certain = [ViewName.POSTERIOR if lean > 0 else ViewName.ANTERIOR], abs(lean) >= CERTAIN_LOG_ODDS
    else:
        lean = None if odds[0] is None or odds[1] is None else odds[1] - odds[0]
        names = [ViewName.ANTERIOR, ViewName.POSTERIOR]
        if lean is not None and lean < 0:
            names.reverse()
        certain = lean is not None and abs(lean) >= CERTAIN_LOG_ODDS
    if certain:
        return names, []
    told = Remark(
        code="dicom.view.uncertain",
        text="Which view this is could not be told with certainty; check it, and give --view or --flip if it is wrong.",
        severity=Severity.WARNING,
    )
    return names, [told]


def _picture_agrees(frames: Sequence[Frame], names: Sequence[ViewName]) -> bool:
    odds = [_odds(frame) for frame in frames]
    signed = [
        value if name is ViewName.POSTERIOR else -value
        for value, name in zip(odds, names, strict=True)
        if value is not None
    ]
    return len(signed) == len(names) and sum(signed) >= CERTAIN_LOG_ODDS


def _contradictions(frames: Sequence[Frame], names: Sequence[ViewName], basis: str) -> list[Remark]:
    odds = [_odds(frame) for frame in frames]
    if any(value is None for value in odds):
        return []
    against = sum(
        -value if name is ViewName.POSTERIOR else value
        for value, name in zip(odds, names, strict=True)
        if value is not None
    )
    if against < CERTAIN_LOG_ODDS:
        return []
    return [
        Remark(
            code="dicom.view.picture_contradicts",
            text=f"The picture itself looks like the opposite view of what {basis} says; check it, and give --flip "
            "if anterior and posterior are exchanged.",
            severity=Severity.WARNING,
        )
    ]


def _odds(frame: Frame) -> float | None:
    """Return the frame's log-odds of posterior where it shows a body from head to feet, as the fractions suppose."""
    values = _capped(frame.counts) if frame.whole_body else None
    if values is None:
        return None
    top, bottom = _extent(values)
    if (bottom - top) * frame.row_spacing_mm < MIN_BODY_MM:
        return None
    return posterior_log_odds(frame.counts)


def _capped(counts: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Cap hot spots at the 98.5th percentile of the pixels that hold counts; ``None`` for too few of them."""
    values = counts.astype(np.float64)
    positive = values[values > 0]
    if positive.size < 500 or positive.size < 0.01 * values.size:
        return None
    return np.minimum(values, np.percentile(positive, 98.5))


def _extent(values: NDArray[np.float64]) -> tuple[int, int]:
    share = np.cumsum(values.sum(axis=1)) / values.sum()
    return int(np.searchsorted(share, 0.004)), int(np.searchsorted(share, 0.996))


def posterior_log_odds(counts: NDArray[np.float32]) -> float | None:
    """Return the log-odds that a whole-body picture, head up, is posterior.

    Parameters
    ----------
    counts : (row, column) ndarray

    Returns
    -------
    float or None
        Positive for posterior; ``None`` where the picture holds too little to say. See the module's Notes.
    """
    values = _capped(counts)
    if values is None:
        return None
    top, bottom = _extent(values)
    height = bottom - top
    if height < 100:
        return None
    kernel = np.ones(3) / 3
    values = np.apply_along_axis(np.convolve, 1, values, kernel, "same")

    def band(first: float, last: float, near: float, far: float) -> float:
        parts = max(1, round((last - first) / 0.02))
        means = []
        for part in range(parts):
            begin = top + int((first + (last - first) * part / parts) * height)
            end = top + int((first + (last - first) * (part + 1) / parts) * height)
            profile = values[begin : max(begin + 1, end)].mean(axis=0)
            middle = int(np.searchsorted(np.cumsum(profile), 0.5 * profile.sum()))
            away = np.abs(np.arange(profile.size) - middle)
            inside = profile[(away >= near * height) & (away <= far * height)]
            means.append(float(inside.mean()) if inside.size else 0.0)
        return max(float(np.mean(means)), 1e-3)

    lumbar = band(0.28, 0.36, 0, 0.012)
    against_thorax = math.log(lumbar / band(0.17, 0.26, 0, 0.012))
    against_flanks = math.log(lumbar / band(0.28, 0.36, 0.03, 0.06))
    face = math.log(band(0.07, 0.11, 0, 0.025) / band(0.015, 0.055, 0, 0.025))
    return 40 * against_thorax + 10.5 * against_flanks - 8 * face + 5.7


def headedness(counts: NDArray[np.float32]) -> float | None:
    """Return how much a whole-body picture has its head at row 0: positive head up, negative feet up.

    Notes
    -----
    ``(u - 0.5) + 0.25 (c_top - c_bottom)``: `u` is the share of counts in the
    upper half of the body (0.65 to 0.85 in real scans, for legs hold little bone
    uptake), `c` the share of counts near the midline in the uppermost and
    lowermost 30 % (head and spine lie on it, legs beside it).
    """
    values = _capped(counts)
    if values is None:
        return None
    top, bottom = _extent(values)
    height = bottom - top
    if height < 100:
        return None
    upper = float(values[top : top + height // 2].sum() / values[top:bottom].sum())

    def midline_share(first: int, last: int) -> float:
        profile = values[first:last].sum(axis=0)
        middle = int(np.searchsorted(np.cumsum(profile), 0.5 * profile.sum()))
        reach = max(2, int(0.02 * height))
        return float(profile[max(0, middle - reach) : middle + reach + 1].sum() / max(profile.sum(), 1))

    third = int(0.3 * height)
    return (upper - 0.5) + 0.25 * (midline_share(top, top + third) - midline_share(bottom - third, bottom))


def turn_head_up(frames: Sequence[Frame]) -> tuple[list[Frame], list[Remark]]:
    """Turn whole-body frames that lie feet up by half a turn, which keeps left and right as the camera saw them.

    Parameters
    ----------
    frames : sequence of Frame
        The views of one acquisition: they are turned together or not at all.

    Returns
    -------
    frames : list of Frame
        Row 0 at the head, as far as the picture tells.
    remarks : list of Remark
        One where frames were turned or their direction is uncertain.
    """
    scores = [headedness(frame.counts) if frame.whole_body else None for frame in frames]
    known = [score for score in scores if score is not None]
    if not known:
        return list(frames), []
    if all(score < -0.05 for score in known):
        turned = [replace(frame, counts=np.ascontiguousarray(frame.counts[::-1, ::-1])) for frame in frames]
        return turned, [
            Remark(
                code="dicom.orientation.turned",
                text="The picture was stored feet first; it was turned by half a turn so that the head is up. "
                "Check left and right.",
                severity=Severity.WARNING,
            )
        ]
    if min(known) < 0.05:
        return list(frames), [
            Remark(
                code="dicom.orientation.uncertain",
                text="Which end of the picture is the head could not be told with certainty; it was left as stored.",
                severity=Severity.WARNING,
            )
        ]
    return list(frames), []


def noise_departure(counts: NDArray[np.float32]) -> str:
    """Say in words how the noise departs from that of detected counts.

    Parameters
    ----------
    counts : (row, column) ndarray of float32
        One view, as stored.

    Returns
    -------
    str
        Half a sentence, e.g. ``"the pixels are not whole numbers"``; empty when the noise is that of
        counts or too few pixels are bright enough to tell. See the module's Notes.
    """
    values = counts.astype(np.float64)
    if not np.array_equal(values, np.round(values)):
        return "the pixels are not whole numbers"
    quads = values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]
    mixed = quads[0] - quads[1] - quads[2] + quads[3]
    total = quads[0] + quads[1] + quads[2] + quads[3]
    # The brightest percent holds the steep edges of hot spots, which are not noise.
    bright = total > 8
    if np.count_nonzero(bright) < _NOISE_SAMPLES:
        return ""
    bright &= total <= np.percentile(total[bright], 99)
    dispersion = float(mixed[bright].var() / total[bright].mean())
    scale = float(np.mean(mixed**2))
    if not scale > 0:
        return "there is no noise"
    down = float(np.mean(mixed[2:] * mixed[:-2])) / scale
    across = float(np.mean(mixed[:, 2:] * mixed[:, :-2])) / scale
    if min(down, across) < -0.1 or max(down, across) > 0.15:
        return (
            f"noise of neighbouring pixels is correlated ({min(down, across, key=lambda c: -abs(c)):.2f}, expected 0)"
        )
    if not 0.75 <= dispersion <= 1.4:
        return f"the noise is {dispersion:.2f} times that of counts"
    return ""
