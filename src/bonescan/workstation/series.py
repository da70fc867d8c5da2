"""Every series of pictures in a study, as numbers: what there is, and frames of it; bounded in memory.

What there is, is kept for the studies last looked at. The frames themselves are kept as long as there is room, and
opened again when somebody asks for them later. One object is opened at a time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bonescan.archive import Archive
from bonescan.errors import BoneScanError
from bonescan.workstation.refusal import Refusal

if TYPE_CHECKING:
    from bonescan.dicom import ImageSeries

__all__ = ["Frames", "ListedSeries", "SeriesShelf", "StudySeries"]

_MOST_BYTES = 128 * 2**20
_MOST_STUDIES = 64
_MOST_OBJECTS = 500  # of one study that are opened; a study of a bone scan has a dozen [D]
_MOST_AT_ONCE = 32 * 2**20
_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeries:
    """What one series is.

    Parameters
    ----------
    key : str
        Its name in addresses; tells nothing of the patient.
    kind, view, part, phase, orientation : str
        In closed words; empty where unknown. See `bonescan.dicom.ImageSeries`.
    words : str
        The file's own description; it may name the patient.
    frames, rows, columns : int
    row_spacing_mm, column_spacing_mm : float
    slice_spacing_mm : float or None
    spacing_known : bool
    times_s, durations_s, angles_deg : tuple of float
    after_injection_s : float or None
        When the first frame began.
    largest : float
        The most counts in one pixel of one frame.
    dtype : str
        ``uint16`` or ``float32``.
    """

    key: str
    kind: str
    view: str
    part: str
    phase: str
    orientation: str
    words: str
    frames: int
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float | None
    spacing_known: bool
    times_s: tuple[float, ...]
    durations_s: tuple[float, ...]
    angles_deg: tuple[float, ...]
    after_injection_s: float | None
    largest: float
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySeries:
    """All series of a study.

    Parameters
    ----------
    series : tuple of ListedSeries
    left_out : int
        Objects that cannot be shown.
    """

    series: tuple[ListedSeries, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Some frames of a series.

    Parameters
    ----------
    listed : ListedSeries
    count : int
    content : memoryview
        Frame by frame and row by row, little-endian.
    """

    listed: ListedSeries
    count: int
    content: memoryview


class SeriesShelf:
    """The series of an archive's studies.

    Parameters
    ----------
    archive : Archive
    most_bytes : int
        Of frames that are kept.
    """

    def __init__(self, archive: Archive, most_bytes: int = _MOST_BYTES) -> None:
        self._archive, self._most_bytes = archive, most_bytes
        self._studies: OrderedDict[str, StudySeries] = OrderedDict()
        self._frames: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()  # by object
        self._lock, self._opening = threading.Lock(), threading.BoundedSemaphore(1)

    def of(self, study_uid: str) -> StudySeries:
        """Say which series a study has.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        StudySeries
            In the order of their acquisition; none where the study has no pictures that can be shown.
        """
        return self._of(self._archive.readable(study_uid))

    def frames(self, study_uid: str, key: str, first: int = 0, count: int | None = None) -> Frames:
        """Give frames of a series.

        Parameters
        ----------
        study_uid, key : str
        first : int
            From 0.
        count : int, optional
            All that follow by default. No more are given than 32 MiB hold, but for a single larger frame.

        Returns
        -------
        Frames

        Raises
        ------
        Refusal
            For a series or frame that is not there.
        """
        files = self._archive.readable(study_uid)
        listed = next((one for one in self._of(files).series if one.key == key), None)
        if listed is None:
            raise Refusal(404, "no_series", "The study has no such series.")
        if first >= listed.frames:
            raise Refusal(404, "no_frame", f"The series has {listed.frames} frames, numbered from 0.")
        digest, _, place = key.partition(".")
        path = next(path for path, whole in files if whole.startswith(digest))
        content = memoryview(self._content(path, digest)[int(place)])
        size = listed.rows * listed.columns * (2 if listed.dtype == "uint16" else 4)
        room = max(1, _MOST_AT_ONCE // size)
        given = min(listed.frames - first, room, listed.frames if count is None else count)
        return Frames(listed=listed, count=given, content=content[first * size : (first + given) * size])

    def _of(self, files: Sequence[tuple[Path, str]]) -> StudySeries:
        study = hashlib.sha256("\n".join(digest for _, digest in files).encode()).hexdigest()
        with self._lock:
            if (known := self._studies.get(study)) is not None:
                self._studies.move_to_end(study)
                return known
        with self._opening:
            with self._lock:  # whoever waited finds what the other has opened
                if (known := self._studies.get(study)) is not None:
                    return known
            made, lasting = self._listed(files)
        if not lasting:
            return made
        with self._lock:
            self._studies[study] = made
            while len(self._studies) > _MOST_STUDIES:
                self._studies.popitem(last=False)
        return made

    def _listed(self, files: Sequence[tuple[Path, str]]) -> tuple[StudySeries, bool]:
        """The series, and whether the next look would find no more of them."""
        from bonescan.dicom import phases_of

        facts: list[ImageSeries] = []
        listed: list[ListedSeries] = []
        left_out, lasting = max(0, len(files) - _MOST_OBJECTS), True
        for path, whole in files[:_MOST_OBJECTS]:
            digest = whole[:_KEY_DIGITS]
            try:
                found = self._open(path, digest)
            except (BoneScanError, OSError, MemoryError) as error:
                left_out += 1
                lasting = lasting and not isinstance(error, OSError | MemoryError)  # these may pass
                continue
            listed += [_listed(f"{digest}.{place}", one) for place, one in enumerate(found)]
            facts += [replace(one, frames=one.frames[:0].copy()) for one in found]
        began = {one.key: fact.acquired_at for one, fact in zip(listed, facts, strict=True)}
        named = [
            replace(one, phase="" if phase is None else str(phase))
            for one, phase in zip(listed, phases_of(facts), strict=True)
        ]
        named.sort(key=lambda one: (str(began[one.key] or "~"), one.key))
        return StudySeries(series=tuple(named), left_out=left_out), lasting

    def _content(self, path: Path, digest: str) -> tuple[bytes, ...]:
        with self._lock:
            if (known := self._frames.get(digest)) is not None:
                self._frames.move_to_end(digest)
                return known
        with self._opening:
            with self._lock:
                if (known := self._frames.get(digest)) is not None:
                    return known
            self._open(path, digest)
            with self._lock:
                return self._frames[digest]

    def _open(self, path: Path, digest: str) -> tuple[ImageSeries, ...]:
        """Open an object and keep its frames, and others' as far as there is room."""
        from bonescan.dicom import image_series

        found = image_series(path)
        content = tuple(one.frames.astype(one.frames.dtype.newbyteorder("<")).tobytes() for one in found)
        with self._lock:
            self._frames[digest] = content
            while len(self._frames) > 1 and self._kept() > self._most_bytes:
                self._frames.popitem(last=False)
        return found

    def _kept(self) -> int:
        return sum(len(part) for content in self._frames.values() for part in content)


def _listed(key: str, one: ImageSeries) -> ListedSeries:
    frames, rows, columns = one.frames.shape
    after = None
    if one.acquired_at is not None and one.injected_at is not None:
        after = (one.acquired_at - one.injected_at).total_seconds()
    return ListedSeries(
        key=key,
        kind=str(one.kind),
        view=one.view,
        part=one.part,
        phase="",
        orientation="" if one.orientation is None else str(one.orientation),
        words=one.words,
        frames=frames,
        rows=rows,
        columns=columns,
        row_spacing_mm=one.row_spacing_mm,
        column_spacing_mm=one.column_spacing_mm,
        slice_spacing_mm=one.slice_spacing_mm,
        spacing_known=one.spacing_known,
        times_s=one.starts_s,
        durations_s=one.durations_s,
        angles_deg=one.angles_deg,
        after_injection_s=after,
        largest=float(one.frames.max(initial=0)),
        dtype=str(one.frames.dtype),
    )
