"""Which frames of an object are planar views of bone uptake, and what is known of each.

Refuses what is not planar bone scintigraphy: other modalities, tomography,
gated and dynamic series, other tracers, other photon energies. Of several
energy windows the Tc-99m photopeak is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom import headers
from bonescan.dicom.pixels import Pixels, decode
from bonescan.errors import NotABoneScan, SlicesAlone
from bonescan.scan import Remark, Severity

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Frame", "check_modality", "planar_frames"]

PHOTOPEAK_KEV = 140.5
WHOLE_BODY_ASPECT = 1.5
_NM_STORAGE = ("1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.5")

_MODALITIES = {
    "CT": "computed tomography",
    "PT": "positron emission tomography",
    "MR": "magnetic resonance imaging",
    "CR": "a radiograph",
    "DX": "a radiograph",
    "US": "ultrasound",
    "SR": "a structured report",
    "PR": "a presentation state",
    "SEG": "a segmentation",
    "BMD": "bone densitometry",
    "OT": "an object of no stated modality",
    "DOC": "a document",
    "KO": "a key-object note",
}

# Tracers that are given for bone, and those that are not; matched in the lower-cased text of the file.
_BONE_TRACERS = re.compile(
    r"\b(h?mdp|hdp|hedp|dpd|medronate|medronic|oxidronate|oxidronic|hydroxymethylene|methylene.?diphos\w*"
    r"|butedronate|\w*phosphonate?s?|pyp|pyrophosphate)\b"
)
_OTHER_TRACERS = re.compile(
    r"\b(maa|macroaggregated|dtpa|pentetate|mag.?3|mertiatide|sestamibi|mibi|tetrofosmin|myoview|mibg|iobenguane|"
    r"dmsa|succimer|octreo\w*|tektrotyd|hynic\w*|pertechnetate|colloid|nanocoll\w*|hmpao|exametazime|ecd|bicisate|"
    r"hida|mebrofenin|disofenin|ioflupane|datscan|besilesomab|leu[ck]o\w*|iodide|psma|technegas)\b"
)
_OTHER_NUCLIDES = re.compile(
    r"\b(i.?12[345]|12[345].?i|i.?131|131.?i|iodine.?\w*|thallium\w*|tl.?201|201.?tl|ga.?67|67.?ga|gallium\w*|"
    r"in.?111|111.?in|indium\w*|lu.?177|177.?lu|lutetium\w*|ra.?223|223.?ra|sm.?153|kr.?81m|xe.?133|y.?90)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One planar frame with what its object says of it.

    Parameters
    ----------
    counts : (row, column) ndarray of float32
    dataset : pydicom.Dataset or None
        The object it came from; ``None`` for a picture.
    place : str
        How messages call the file.
    position, position_count : int
        Its place among the photopeak frames of its object, and their number.
    view_codes : tuple of str
        Code value, meaning and scheme of each item of its detector's ViewCodeSequence.
    vendor_names : tuple of str
        What private and descriptive attributes call it.
    start_angle_deg : float or None
    whole_body : bool
    derived : bool
    """

    counts: NDArray[np.float32]
    dataset: Dataset | None
    place: str
    file_name: str = ""
    position: int = 0
    position_count: int = 1
    view_codes: tuple[tuple[str, str], ...] = ()
    vendor_names: tuple[tuple[str, str], ...] = ()
    start_angle_deg: float | None = None
    row_spacing_mm: float
    column_spacing_mm: float
    spacing_known: bool = True
    not_raw_because: str = ""
    energy_window_kev: tuple[float, float] | None = None
    counts_accumulated: float | None = None
    counts_agree: bool = False
    duration_s: float | None = None
    scan_velocity_mm_per_s: float | None = None
    scan_length_mm: float | None = None
    whole_body: bool = True
    derived: bool = False


def check_modality(dataset: Dataset, place: str) -> None:
    """Refuse what is not nuclear medicine.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The whole object, with its file meta information.
    place : str
        How the message calls the file, e.g. ``"file 2 of 5"``; never its name, which may hold the patient's.

    Raises
    ------
    NotABoneScan
        Another modality; without one, a storage class other than nuclear medicine.
    """
    modality = headers.text(dataset, "Modality")
    sop_class = headers.text(dataset, "SOPClassUID") or headers.text(dataset.file_meta, "MediaStorageSOPClassUID")
    if modality == "NM" or (modality is None and sop_class in _NM_STORAGE):
        return
    what = _MODALITIES.get(modality or "", "not nuclear medicine" if modality else "an object without a modality")
    shown = modality if modality in _MODALITIES else "other"
    raise NotABoneScan(
        f"{place.capitalize()} is {what} (modality {shown}), not a bone scan; give the NM whole-body images.",
        expected="NM",
        got=shown,
    )


def planar_frames(
    dataset: Dataset, *, place: str, file_name: str, pixel_mm: float | None
) -> tuple[list[Frame], list[Remark]]:
    """Return the object's planar photopeak frames.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The whole object, with its file meta information.
    place : str
        How messages call the file, e.g. ``"file 2 of 5"``.
    file_name : str
        Base name of the file; kept with each frame, for names may tell the view.
    pixel_mm : float or None
        Side of a square pixel in mm where the user gives it; it goes before the header's.

    Returns
    -------
    frames : list of Frame
        One or two frames, in the object's order, in counts as stored after rescaling.
    remarks : list of Remark
        What had to be assumed, mended or left out.

    Raises
    ------
    NotABoneScan
        Another modality or tracer, slices, gated or dynamic series, no photopeak, an empty image.
    UnreadableInput
        Pixel data that cannot be decoded.
    """
    check_modality(dataset, place)
    kind = image_kind(dataset)
    _refuse_other_kinds(dataset, kind, place)
    refuse_other_tracers(dataset, place)
    pixels = decode(dataset, place)
    remarks = list(pixels.remarks)
    chosen, window, found = photopeak(dataset, pixels, place)
    remarks += found
    if len(chosen) > 2 or (kind == "DYNAMIC" and len(chosen) > detector_count(dataset, 2)):
        _refuse_series(kind, len(chosen), place)
    for index in chosen:
        if not pixels.frames[index].any():
            raise NotABoneScan(f"The image in {place} is empty: every pixel is zero.")
    mm, spacing_known, found = spacing(dataset, pixels.frames.shape[1:], pixel_mm)
    remarks += found
    whole_body, found = is_whole_body(dataset, kind, pixels.frames.shape[1:], mm)
    remarks += found
    claims, agree, found = claimed_counts(dataset, pixels, chosen)
    remarks += found
    found = scrambled(pixels.frames[chosen])
    remarks += found
    detectors = headers.items(dataset, "DetectorInformationSequence")
    detector_of = frame_vector(dataset, "DetectorVector", len(pixels.frames))
    image_type = [words.upper() for words in headers.texts(dataset, "ImageType")]
    duration = headers.number(dataset, "ActualFrameDuration")
    velocity = headers.number(dataset, "ScanVelocity")
    length = headers.number(dataset, "ScanLength")
    frames = []
    for position, index in enumerate(chosen):
        number = detector_of[index] if detector_of else position + 1
        item = detectors[number - 1] if 0 < number <= len(detectors) else None
        if item is None and len(detectors) == len(chosen):
            item = detectors[position]
        frames.append(
            Frame(
                counts=pixels.frames[index],
                dataset=dataset,
                place=place,
                file_name=file_name,
                position=position,
                position_count=len(chosen),
                view_codes=view_codes(item),
                vendor_names=vendor_names(dataset, position, len(chosen), index, len(pixels.frames)),
                start_angle_deg=headers.number(item, "StartAngle") if item is not None else None,
                row_spacing_mm=mm[0],
                column_spacing_mm=mm[1],
                spacing_known=spacing_known,
                not_raw_because=pixels.changed,
                energy_window_kev=window,
                counts_accumulated=claims[position],
                counts_agree=agree,
                duration_s=duration / 1000 if duration and duration > 0 else None,
                scan_velocity_mm_per_s=velocity if velocity and velocity > 0 else None,
                scan_length_mm=length if length and length > 0 else None,
                whole_body=whole_body,
                derived=image_type[:1] == ["DERIVED"],
            )
        )
    return frames, remarks


def image_kind(dataset: Dataset) -> str:
    kinds = [words.upper() for words in headers.texts(dataset, "ImageType")]
    return kinds[2] if len(kinds) > 2 else ""


def _refuse_other_kinds(dataset: Dataset, kind: str, place: str) -> None:
    if "TOMO" in kind or headers.integers(dataset, "NumberOfRotations") or "SliceVector" in dataset:
        what = "reconstructed slices" if kind.startswith("RECON") or "SliceVector" in dataset else "SPECT projections"
        raise SlicesAlone(
            f"{place.capitalize()} holds {what}, not a planar scan; give the whole-body or static images.",
            expected="WHOLE BODY",
            got=kind,
        )
    if "GATED" in kind:
        raise NotABoneScan(
            f"{place.capitalize()} is a gated heart study, not a bone scan; give the whole-body images.", got=kind
        )
    if "TRANSMISSION" in [words.upper() for words in headers.texts(dataset, "ImageType")]:
        raise NotABoneScan(f"{place.capitalize()} is a transmission image; give the emission images.")


def refuse_other_tracers(dataset: Dataset, place: str) -> None:
    words = headers.tracer_words(dataset)
    if _BONE_TRACERS.search(words):
        return
    other = _OTHER_TRACERS.search(words) or _OTHER_NUCLIDES.search(words)
    if other:
        raise NotABoneScan(
            f"{place.capitalize()} was made with {other.group(0)}, which is not a bone tracer; "
            "give a scan with a Tc-99m diphosphonate.",
            got=other.group(0),
        )


def _refuse_series(kind: str, count: int, place: str) -> None:
    if kind == "DYNAMIC":
        raise NotABoneScan(
            f"{place.capitalize()} is a dynamic series of {count} frames: it shows blood flow or blood pool, not bone "
            "uptake; give the delayed whole-body or static images, or read the three phases as one study with "
            "`bonescan read`.",
            got="DYNAMIC",
        )
    raise NotABoneScan(
        f"{place.capitalize()} holds {count} frames, and nothing in it says which are the anterior and posterior "
        "photopeak views; give an object with one or two.",
        got=count,
    )


def detector_count(dataset: Dataset, otherwise: int) -> int:
    found = headers.integers(dataset, "NumberOfDetectors")
    return found[0] if found and found[0] > 0 else otherwise


def frame_vector(dataset: Dataset, keyword: str, frame_count: int) -> list[int]:
    """Return a frame vector when it fits the frames, else nothing."""
    found = headers.integers(dataset, keyword)
    return found if len(found) == frame_count and min(found) > 0 else []


def energy_windows(dataset: Dataset) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return name and (lower, upper) keV ranges of each energy window."""
    found = []
    for item in headers.items(dataset, "EnergyWindowInformationSequence"):
        ranges = []
        for part in headers.items(item, "EnergyWindowRangeSequence"):
            lower = headers.number(part, "EnergyWindowLowerLimit")
            upper = headers.number(part, "EnergyWindowUpperLimit")
            if lower is not None and upper is not None and 0 < lower < upper < 2000:
                ranges.append((lower, upper))
        found.append((headers.text(item, "EnergyWindowName") or "", ranges))
    return found


def off_peak(window: tuple[str, list[tuple[float, float]]]) -> float:
    """Return keV between 140.5 and the centre of the range that holds it; infinite where none does."""
    holding = [abs((low + high) / 2 - PHOTOPEAK_KEV) for low, high in window[1] if low <= PHOTOPEAK_KEV <= high]
    return min(holding, default=float("inf"))


def photopeak(
    dataset: Dataset, pixels: Pixels, place: str
) -> tuple[list[int], tuple[float, float] | None, list[Remark]]:
    """Return the frames of the Tc-99m photopeak, its limits in keV, and why."""
    count = len(pixels.frames)
    windows = energy_windows(dataset)
    window_of = frame_vector(dataset, "EnergyWindowVector", count)
    remarks: list[Remark] = []
    if not window_of:
        if len(windows) > 1 and count % len(windows) == 0 and count > 1:
            # PS3.3 C.8.4.8: the vectors nest in the order of FrameIncrementPointer, energy window outermost.
            window_of = [k * len(windows) // count + 1 for k in range(count)]
            remarks.append(
                Remark(
                    code="dicom.window.order",
                    text="The file does not say which frame belongs to which energy window; the standard's order "
                    "(all frames of the first window, then of the next) was assumed.",
                    severity=Severity.WARNING,
                )
            )
        else:
            window_of = [1] * count
    numbers = sorted(set(window_of))
    if len(numbers) == 1:
        only = windows[numbers[0] - 1] if numbers[0] <= len(windows) else ("", [])
        refuse_off_peak([only], place)
        limits = window_limits(only)
        return list(range(count)), limits, remarks
    known = {k: windows[k - 1] if k <= len(windows) else ("", []) for k in numbers}
    best = min(numbers, key=lambda k: off_peak(known[k]))
    if off_peak(known[best]) < float("inf"):
        basis, severity = "it holds the 140 keV photopeak of Tc-99m", Severity.NOTE
    else:
        refuse_off_peak(list(known.values()), place)
        totals = {k: sum(float(pixels.frames[i].sum()) for i in range(count) if window_of[i] == k) for k in numbers}
        unknown = [k for k in numbers if not known[k][1]]
        best = max(unknown, key=lambda k: totals[k])
        basis, severity = "it has the most counts; the file does not give its energies", Severity.WARNING
    limits = window_limits(known[best])
    shown = f" ({limits[0]:g} to {limits[1]:g} keV)" if limits else ""
    remarks.append(
        Remark(
            code="dicom.window.photopeak",
            text=f"The file holds {len(numbers)} energy windows; window {best}{shown} was read because {basis}.",
            severity=severity,
        )
    )
    return [i for i in range(count) if window_of[i] == best], limits, remarks


def window_limits(window: tuple[str, list[tuple[float, float]]]) -> tuple[float, float] | None:
    ranges = sorted(window[1], key=lambda r: (not r[0] <= PHOTOPEAK_KEV <= r[1], abs(sum(r) / 2 - PHOTOPEAK_KEV)))
    return ranges[0] if ranges else None


def refuse_off_peak(windows: list[tuple[str, list[tuple[float, float]]]], place: str) -> None:
    if all(window[1] and off_peak(window) == float("inf") for window in windows):
        low, high = windows[0][1][0]
        raise NotABoneScan(
            f"{place.capitalize()} was acquired from {low:g} to {high:g} keV, not at the 140 keV of Tc-99m: it is "
            "a scatter image or another tracer's.",
            expected=PHOTOPEAK_KEV,
            got=(low, high),
        )


def spacing(
    dataset: Dataset, shape: tuple[int, ...], pixel_mm: float | None
) -> tuple[tuple[float, float], bool, list[Remark]]:
    if pixel_mm is not None:
        said = Remark(code="dicom.spacing.given", text=f"The pixel size of {pixel_mm:g} mm was given by the user.")
        return (pixel_mm, pixel_mm), True, [said]
    for keyword in ("PixelSpacing", "NominalScannedPixelSpacing", "ImagerPixelSpacing"):
        found = headers.numbers(dataset, keyword)
        if len(found) == 2 and all(0.2 <= mm <= 20 for mm in found):
            return (found[0], found[1]), True, []
    # A whole-body field is about two metres long, a static one about half a metre wide.
    assumed = round((2000 if shape[0] >= WHOLE_BODY_ASPECT * shape[1] else 540) / shape[0], 3)
    told = Remark(
        code="dicom.spacing.assumed",
        text=f"The file gives no usable pixel size; {assumed:g} mm was assumed from the number of rows, and lengths "
        "and areas are as uncertain as that.",
        severity=Severity.WARNING,
    )
    return (assumed, assumed), False, [told]


def is_whole_body(
    dataset: Dataset, kind: str, shape: tuple[int, ...], spacing: tuple[float, float]
) -> tuple[bool, list[Remark]]:
    if kind == "WHOLE BODY":
        return True, []
    long = shape[0] >= WHOLE_BODY_ASPECT * shape[1] and shape[0] * spacing[0] >= 900
    moved = headers.number(dataset, "ScanVelocity") or headers.number(dataset, "ScanLength")
    if long or (moved and shape[0] > shape[1]):
        return True, [
            Remark(
                code="dicom.whole_body.shape",
                text="The file does not call itself a whole-body scan; the picture's length says that it is one.",
            )
        ]
    return False, [
        Remark(
            code="dicom.whole_body.static",
            text="This is a static view of a part of the body, not a whole-body scan.",
            severity=Severity.WARNING,
        )
    ]


def claimed_counts(
    dataset: Dataset, pixels: Pixels, chosen: list[int]
) -> tuple[list[float | None], bool, list[Remark]]:
    """Hold CountsAccumulated against the pixels: the only witness a file carries for its own pixel values."""
    found = [value for value in headers.numbers(dataset, "CountsAccumulated") if value > 0]
    sums = [float(frame.sum(dtype=np.float64)) for frame in pixels.frames]
    nothing: list[float | None] = [None] * len(chosen)
    if not found:
        told = Remark(
            code="dicom.counts.unverified",
            text="The file does not state its total counts, so its pixel values could not be checked against it.",
        )
        return nothing, False, [told]
    if len(found) == len(sums) > 1:
        claims: list[float | None] = [found[i] for i in chosen]
        worst = max(abs(found[i] / max(sums[i], 1) - 1) for i in chosen)
        exact = all(found[i] == sums[i] for i in chosen)
    else:
        possible = [sum(sums), sum(sums[i] for i in chosen), *(sums[i] for i in chosen)]
        nearest = min(possible, key=lambda total: abs(total - found[0]))
        claims = [found[0]] if len(chosen) == 1 and nearest == sums[chosen[0]] else nothing
        worst = abs(found[0] / max(nearest, 1) - 1)
        exact = nearest == found[0]
    if exact:
        return claims, True, []
    return (
        claims,
        False,
        [
            Remark(
                code="dicom.counts.disagree",
                text=f"The file states {found[0]:.0f} counts and its pixels hold {sum(sums):.0f} "
                f"({100 * worst:.2g} % apart): the pixels are not exactly what was accumulated.",
                severity=Severity.WARNING if worst > 0.01 else Severity.NOTE,
            )
        ],
    )


def scrambled(frames: NDArray[np.float32]) -> list[Remark]:
    """Warn of a picture that a wrong row length has torn or laid out several times side by side.

    A body continues from row to row as it does from column to column: the
    lag-one correlations of the square root of the counts are then alike. With
    rows a whole number of times too long it continues, but repeats itself
    across the picture as closely as neighbouring pixels agree.
    """
    for frame in frames:
        if min(frame.shape) < 16:
            continue
        down, across = (_lag_correlation(frame, axis, 1) for axis in (0, 1))
        repeats = max(_lag_correlation(frame, 1, frame.shape[1] // parts) for parts in (2, 3, 4, 8))
        torn = down < 0.6 * across - 0.05
        if torn or (across > 0.3 and repeats > 0.9 * across):
            return [
                Remark(
                    code="dicom.pixels.scrambled",
                    text=f"The picture {'is torn from row to row' if torn else 'shows the same body several times'}: "
                    "its row length is probably wrong, and it cannot be trusted.",
                    severity=Severity.WARNING,
                )
            ]
    return []


def _lag_correlation(frame: NDArray[np.float32], axis: int, lag: int) -> float:
    root = np.sqrt(frame)
    first, second = (root[:-lag], root[lag:]) if axis == 0 else (root[:, :-lag], root[:, lag:])
    first, second = first.ravel() - first.mean(), second.ravel() - second.mean()
    scale = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    return float(np.dot(first, second)) / scale if scale > 0 else 0.0


def view_codes(item: Dataset | None) -> tuple[tuple[str, str], ...]:
    if item is None:
        return ()
    return tuple(
        (headers.text(code, "CodeValue") or "", headers.text(code, "CodeMeaning") or "")
        for code in headers.items(item, "ViewCodeSequence")
    )


def vendor_names(dataset: Dataset, position: int, chosen: int, index: int, total: int) -> tuple[tuple[str, str], ...]:
    """Return (where, words) for every place where vendors name a frame."""
    found: list[tuple[str, str]] = []
    lists = [("private (0011,1012)", headers.private_text(dataset, 0x0011, 0x12))]
    lists.append(("ViewPosition", headers.texts(dataset, "ViewPosition")))
    for where, names in lists:
        if len(names) == total and total > 1:
            found.append((where, names[index]))
        elif len(names) == chosen:
            found.append((where, names[position]))
    if chosen == 1:
        for keyword in ("ImageID", "SeriesDescription", "ImageComments", "AcquisitionDeviceProcessingDescription"):
            words = headers.text(dataset, keyword)
            if words:
                found.append((keyword, words))
    return tuple(found)
