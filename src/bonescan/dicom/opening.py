"""Open what a camera wrote, as one `Scan`.

The way of an input: gather the files, parse each, keep the planar views of bone
uptake of ONE study, choose the one or two to read, turn the head up, name the
views, judge whether the pixels are counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bonescan.dicom import headers
from bonescan.dicom.frames import Frame, check_modality, planar_frames
from bonescan.dicom.identity import Identified, identify, noise_departure, turn_head_up
from bonescan.dicom.inputs import Item, gather
from bonescan.dicom.pictures import is_picture, picture_frames
from bonescan.dicom.pixels import is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import InvalidValue, NotABoneScan, SlicesAlone, UnreadableInput
from bonescan.scan import Remark, Scan, Severity, Source, View, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["open_scan"]

_MIN_SIDE = 32
_MAX_VIEW_PIXELS = 4 * 2**20  # eight times the 2048 x 256 of the longest scans
_MAX_HEIGHT_M, _MAX_WIDTH_M = 5.0, 2.5  # twice the longest bed, three times the widest detector
_MAX_ELONGATION = 20

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One file's usable frames."""

    item: Item
    dataset: Dataset | None
    frames: list[Frame]
    remarks: list[Remark]

    @property
    def uid(self) -> str | None:
        return headers.text(self.dataset, "SOPInstanceUID") if self.dataset is not None else None


def open_scan(
    inputs: Sequence[Path],
    *,
    view: ViewName | None = None,
    flip: bool = False,
    pixel_mm: float | None = None,
    leave_out: Collection[Path] = (),
) -> Scan:
    """Open the one or two planar views that the inputs hold.

    Parameters
    ----------
    inputs : sequence of Path
        DICOM files, folders, zips, a DICOMDIR; or PNG, TIFF or NIfTI views.
    view : ViewName or None
        What the only, or the first, view is; overrules the file.
    flip : bool
        Exchange anterior and posterior; no pixel is mirrored.
    pixel_mm : float or None
        Pixel size in mm, 0.2 to 20; overrules the file, and is needed for pictures.
    leave_out : collection of Path
        Files to pass over where they lie in a folder that is read: results of an earlier reading.

    Returns
    -------
    Scan
        Head at row 0; everything assumed or tolerated is among its remarks.

    Raises
    ------
    UnreadableInput
        Bytes that cannot be decoded, and more than the limits allow.
    NotABoneScan
        A readable input that is not one planar bone scan.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> open_scan([Path(str(get_testdata_file("JPEG-LL.dcm")))]).views[0].total_counts
    3596452.0
    """
    refuse_impossible_pixel(pixel_mm)
    keep_quiet()
    return open_items(gather(inputs, leave_out=leave_out), view, flip, pixel_mm)


def open_items(items: list[Item], view: ViewName | None, flip: bool, pixel_mm: float | None) -> Scan:
    """Open the one or two planar views among files that were gathered."""
    opened, remarks = open_each(items, lambda item: _open_one(item, pixel_mm), "planar bone scan")
    opened, found = _without_repeats(opened)
    remarks += found
    refuse_two_studies(opened)
    refuse_two_people(opened)
    opened, found = _whole_body_first(opened)
    remarks += found
    opened, found = _one_or_two_views(opened, view)
    remarks += found
    for one in opened:
        remarks += one.remarks
    frames = [frame for one in opened for frame in one.frames]
    frames, found = turn_head_up(frames)
    remarks += found
    for frame in frames:
        refuse_impossible_size(frame.counts.shape, (frame.row_spacing_mm, frame.column_spacing_mm), frame.place)
    _refuse_one_picture_twice(frames)
    identified, found = identify(frames, view=view, flip=flip)
    remarks += found
    return _as_scan(opened, identified, remarks)


def open_each(
    items: list[Item], open_one: Callable[[Item], _Found | None], wanted: str
) -> tuple[list[_Found], list[Remark]]:
    """Open every file that is wanted; a defect of a file that was named is an error, of one beside it a remark."""
    opened: list[_Found] = []
    refused: list[UnreadableInput | NotABoneScan] = []
    passed_over = damaged = 0
    for item in items:
        try:
            one = open_one(item)
        except (UnreadableInput, NotABoneScan) as error:
            if item.named:
                raise
            refused.append(error)
            damaged += isinstance(error, UnreadableInput)
            continue
        if one is None:
            passed_over += 1
            if item.named:
                raise UnreadableInput(
                    f"{item.place.capitalize()} is in none of the formats read: DICOM, zip, PNG, TIFF, NIfTI."
                )
            continue
        opened.append(one)
    if not opened:
        if not refused:
            raise UnreadableInput(
                f"None of the {len(items)} file(s) is in a format that is read: DICOM, PNG, TIFF, NIfTI."
            )
        # What is nearest to a bone scan explains best: not a bone scan before unreadable, in the files' order. That
        # there are slices beside explains nothing.
        first = min(refused, key=lambda error: (isinstance(error, SlicesAlone), isinstance(error, UnreadableInput)))
        if len(refused) == 1:
            raise first
        raise type(first)(
            f"None of the {len(items)} files is a {wanted} that can be read; for example: {first}",
            **first.facts,
        ) from first
    remarks = []
    if len(refused) > damaged:
        remarks.append(
            Remark(
                code="dicom.inputs.passed_over",
                text=f"{len(refused) - damaged} other object(s) beside the scan were not {wanted}s and were left out.",
            )
        )
    if damaged:
        remarks.append(
            Remark(
                code="dicom.inputs.damaged",
                text=f"{damaged} file(s) beside the scan could not be read; a view may be missing because of that.",
                severity=Severity.WARNING,
            )
        )
    return opened, remarks


def _open_one(item: Item, pixel_mm: float | None) -> Opened | None:
    """Return the file's frames; ``None`` for a file in no format that is read."""
    if not item.data:
        raise UnreadableInput(f"{item.place.capitalize()} is empty (0 bytes); fetch it again.")
    if is_dicom(item.data):
        dataset, remarks = parse(item.data, item.place)
        check_modality(dataset, item.place)
        frames, found = planar_frames(dataset, place=item.place, file_name=item.file_name, pixel_mm=pixel_mm)
        return Opened(item=item, dataset=dataset, frames=frames, remarks=remarks + found)
    if is_picture(item.data):
        frames, found = picture_frames(item, pixel_mm=pixel_mm)
        return Opened(item=item, dataset=None, frames=frames, remarks=found)
    return None


def _same_pixels(a: Opened, b: Opened) -> bool:
    return len(a.frames) == len(b.frames) and all(
        np.array_equal(x.counts, y.counts) for x, y in zip(a.frames, b.frames, strict=True)
    )


def _without_repeats(opened: list[Opened]) -> tuple[list[Opened], list[Remark]]:
    """Keep one of several copies of the same picture."""
    kept: list[Opened] = []
    for one in opened:
        if not any(_same_pixels(one, other) for other in kept):
            kept.append(one)
    if len(kept) == len(opened):
        return kept, []
    return kept, [
        Remark(code="dicom.inputs.repeated", text=f"{len(opened) - len(kept)} repeated copy or copies were left out.")
    ]


def refuse_two_studies(opened: list[Opened]) -> None:
    """Refuse objects of different patients or studies, and DICOM files beside pictures."""
    if len(opened) > 1 and len({one.dataset is None for one in opened}) > 1:
        raise NotABoneScan("The input mixes DICOM files with pictures; give one kind at a time.")
    for keyword, what in (("PatientID", "patients"), ("StudyInstanceUID", "studies")):
        groups: dict[str, list[str]] = {}
        for one in opened:
            if one.dataset is not None and (value := headers.text(one.dataset, keyword)):
                groups.setdefault(value, []).append(one.item.place)
        if len(groups) > 1:
            listed = "; ".join(f"{k + 1}: {', '.join(places)}" for k, places in enumerate(groups.values()))
            raise NotABoneScan(
                f"The input holds scans of {len(groups)} different {what} ({listed}, files counted in order of their "
                "names); give one at a time, or compare them with `bonescan compare`.",
                groups=list(groups.values()),
            )


def refuse_two_people(opened: list[Opened]) -> None:
    """Where a file has no patient's number, hold names, birth dates and sexes against each other."""
    datasets = [one.dataset for one in opened if one.dataset is not None]
    if all(headers.text(dataset, "PatientID") for dataset in datasets):
        return
    for keyword, what in (("PatientName", "names"), ("PatientBirthDate", "birth dates"), ("PatientSex", "sexes")):
        # The same name is written with carets, commas or spaces, in capitals or not.
        said = {tuple(re.split(r"[\s^,]+", (headers.text(dataset, keyword) or "").casefold())) for dataset in datasets}
        if len({tuple(filter(None, words)) for words in said} - {()}) > 1:
            raise NotABoneScan(
                f"The files carry no patient's number and different {what}: they may show different patients; give "
                "one at a time.",
                attribute=keyword,
            )


def _whole_body_first(opened: list[Opened]) -> tuple[list[Opened], list[Remark]]:
    """Read the whole-body views where there are any, and leave the spot views of the same study."""
    whole = [one for one in opened if all(frame.whole_body for frame in one.frames)]
    if not whole or len(whole) == len(opened):
        return opened, []
    return whole, [
        Remark(
            code="dicom.inputs.spot_views",
            text=f"{len(opened) - len(whole)} spot view file(s) of the same study were left out; "
            "the whole-body scan is read.",
        )
    ]


def _one_or_two_views(opened: list[Opened], view: ViewName | None) -> tuple[list[Opened], list[Remark]]:
    """Choose the object with both views, or the two files with one each."""
    if sum(len(one.frames) for one in opened) <= 2:
        if sum(len(one.frames) for one in opened) == 2 and len(opened) == 2 and view is None:
            _refuse_same_view(opened)
        return opened, []
    originals = [one for one in opened if not any(frame.derived for frame in one.frames)]
    if 0 < len(originals) < len(opened) and sum(len(one.frames) for one in originals) <= 2:
        return originals, [
            Remark(
                code="dicom.inputs.derived",
                text=f"{len(opened) - len(originals)} processed copy or copies of the scan were left out; "
                "the original is read.",
            )
        ]
    listed = "; ".join(
        f"series {_series_number(one)} with {len(one.frames)} view(s) ({one.item.place})" for one in opened[:6]
    )
    more = " and more" if len(opened) > 6 else ""
    raise NotABoneScan(
        f"The input holds {len(opened)} scans of the same study ({listed}{more}); "
        "give the one file, or the anterior and the posterior file, that shall be read.",
        count=len(opened),
    )


def _series_number(one: Opened) -> str:
    found = headers.integers(one.dataset, "SeriesNumber") if one.dataset is not None else []
    return str(found[0]) if found else "?"


def _refuse_same_view(opened: list[Opened]) -> None:
    names = []
    for one in opened:
        named, _ = identify(one.frames, view=None, flip=False)
        if named[0].basis == "what the picture itself shows":
            return
        names.append(named[0].name)
    if len(set(names)) == 1:
        raise NotABoneScan(
            f"Both files call themselves {names[0]} views; give one of each, or one file.", got=[str(n) for n in names]
        )


def refuse_impossible_size(shape: tuple[int, ...], spacing_mm: tuple[float, float], place: str) -> None:
    """Refuse what no camera's field can be: the fit would need hours or all the memory, and find nobody."""
    rows, columns = shape
    height_m, width_m = rows * spacing_mm[0] / 1000, columns * spacing_mm[1] / 1000
    if min(rows, columns) < _MIN_SIDE or rows * columns > _MAX_VIEW_PIXELS:
        raise NotABoneScan(
            f"The view in {place} has {rows} x {columns} pixels; planar bone scans have at least {_MIN_SIDE} a "
            f"side and at most {_MAX_VIEW_PIXELS >> 20} million in all.",
            got=(rows, columns),
        )
    longer, shorter = max(height_m, width_m), min(height_m, width_m)
    if height_m > _MAX_HEIGHT_M or width_m > _MAX_WIDTH_M or longer > _MAX_ELONGATION * shorter:
        raise NotABoneScan(
            f"The view in {place} would be {height_m:.2g} m high and {width_m:.2g} m wide, which no camera sees; "
            "give the right pixel size with --pixel-mm.",
            got=(height_m, width_m),
        )


def refuse_impossible_pixel(pixel_mm: float | None) -> None:
    """Refuse a pixel size, given by the user, that no camera has."""
    if pixel_mm is not None and not 0.2 <= pixel_mm <= 20:
        raise UnreadableInput(f"The pixel size must lie between 0.2 and 20 mm, got {pixel_mm:g}.", got=pixel_mm)


def _refuse_one_picture_twice(frames: list[Frame]) -> None:
    """Refuse two frames with the very same counts, mirrored or not: noise never repeats itself."""
    first, last = frames[0].counts, frames[-1].counts
    if len(frames) == 2 and any(np.array_equal(first, copy) for copy in (last, last[:, ::-1])):
        raise NotABoneScan(
            f"The two views in {frames[0].place} are one picture, stored twice; export both views, or one alone."
        )


def _judge_counts(frame: Frame) -> tuple[bool, list[Remark]]:
    """Whether the pixels are detected counts, and the reason when they are not."""
    because = frame.not_raw_because
    if not because and frame.counts_agree:
        return True, []
    because = because or noise_departure(frame.counts)
    if not because:
        return True, []
    return False, [
        Remark(
            code="dicom.counts.not_raw",
            text=f"The pixels are not raw counts ({because}); figures that rest on counting statistics are "
            "approximate.",
            severity=Severity.WARNING,
        )
    ]


def _as_scan(opened: list[Opened], identified: list[Identified], remarks: list[Remark]) -> Scan:
    views = []
    for one in identified:
        raw, found = _judge_counts(one.frame)
        remarks += found
        views.append(_as_view(one, raw))
    datasets = [one.dataset for one in opened if one.dataset is not None]
    head = datasets[0] if datasets else None
    sources = tuple(
        Source(file_name=one.item.file_name, sha256=one.item.sha256, sop_instance_uid=one.uid) for one in opened
    )
    try:
        if head is None:
            return Scan(
                views=tuple(views),
                whole_body=all(one.frame.whole_body for one in identified),
                sources=sources,
                remarks=_each_once(remarks),
            )
        at = headers.acquired_at(head)
        given, found = headers.injection(head, at)
        remarks += found + headers.simulated(head)
        return Scan(
            views=tuple(views),
            patient=headers.patient(head, at),
            injection=given,
            device=headers.device(head),
            acquired_at=at,
            study_uid=headers.text(head, "StudyInstanceUID"),
            study_description=headers.text(head, "StudyDescription"),
            whole_body=all(one.frame.whole_body for one in identified),
            sources=sources,
            remarks=_each_once(remarks),
        )
    except InvalidValue as error:
        raise NotABoneScan(str(error)) from error


def _as_view(one: Identified, raw: bool) -> View:
    frame = one.frame
    return View(
        name=one.name,
        counts=frame.counts,
        row_spacing_mm=frame.row_spacing_mm,
        column_spacing_mm=frame.column_spacing_mm,
        spacing_known=frame.spacing_known,
        counts_are_raw=raw,
        identity_basis=one.basis,
        energy_window_kev=frame.energy_window_kev,
        counts_accumulated=frame.counts_accumulated,
        duration_s=frame.duration_s,
        scan_velocity_mm_per_s=frame.scan_velocity_mm_per_s,
        scan_length_mm=frame.scan_length_mm,
        start_angle_deg=frame.start_angle_deg,
    )


def _each_once(remarks: list[Remark]) -> tuple[Remark, ...]:
    return tuple(dict.fromkeys(remarks))
