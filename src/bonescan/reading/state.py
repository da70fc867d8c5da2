"""A case as bytes that another day can edit: labels, findings and the network's maps, and nothing of whose they are.

An ``.npz`` without pickle: ``format`` (one number), ``told`` (JSON: the values, their kinds, and which array stands
where) and the arrays' pixels, all of one type together. Numbers are kept to the last bit, so that a reading that is
opened again gives the same record as when it was made. The scan is not kept: it is opened from its files, which the
state knows by their SHA-256.

Coordinates change so evenly that the differences of neighbours' bit patterns, along rows and columns, are mostly 0: a
megabyte becomes a sixth of it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import UnreadableInput
from bonescan.measurement import Measurement
from bonescan.reading import model
from bonescan.reading.case import Case
from bonescan.reading.network import DenseView, Glance, MapGrid
from bonescan.scan import Remark, Scan, Severity, ViewName

__all__ = ["FORMAT", "kept", "kept_again"]

FORMAT = 1
"""Of the state; one of another format is not opened."""

_KINDS: Mapping[str, type] = {
    **{name: kind for name in model.__all__ if isinstance(kind := getattr(model, name), type)},
    **{one.__name__: one for one in (Measurement, MapGrid, Remark, Severity, ViewName)},
}
"""What a state may hold, by name."""

_EVEN = frozenset({"x_mm", "z_mm"})
_LEFT_OUT = frozenset({"scan", "remarks", "revision"})
"""Of the reading: what its files tell, and what a revision adds."""

_TYPES: Mapping[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("float32", "uint8", "bool")}


@dataclass(frozen=True, slots=True)
class _Pixels:
    """The arrays' bytes by type, in the order in which they are met."""

    parts: dict[str, list[NDArray[np.uint8]]] = field(default_factory=lambda: {name: [] for name in _TYPES})

    def put(self, values: NDArray[Any], even: bool) -> dict[str, Any]:
        name = values.dtype.name
        values = np.ascontiguousarray(values)
        if name == "bool":
            part = np.packbits(values)
        elif name == "float32":
            bits = values.view(np.int32)
            part = (_differences(bits) if even else bits).view(np.uint8).reshape(-1, 4).T.ravel()
        else:
            part = values.view(np.uint8).ravel()
        self.parts[name].append(part)
        return {"array": name, "shape": values.shape, "even": even}


@dataclass(slots=True)
class _Taken:
    """The same, taken out again in that order."""

    pixels: Mapping[str, NDArray[np.uint8]]
    at: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TYPES, 0))

    def take(self, told: Mapping[str, Any]) -> NDArray[Any]:
        name, shape = str(told["array"]), tuple(int(size) for size in told["shape"])
        size = int(np.prod(shape, dtype=np.int64))
        length = -(-size // 8) if name == "bool" else size * _TYPES[name].itemsize
        part = self.pixels[name][self.at[name] : self.at[name] + length]
        if len(part) != length or size < 0:
            raise ValueError("the pixels end too early")
        self.at[name] += length
        if name == "bool":
            return np.unpackbits(part, count=size).astype(np.bool_).reshape(shape)
        if name == "uint8":
            return part.reshape(shape).copy()
        bits = np.ascontiguousarray(part.reshape(4, -1).T).view(np.int32).reshape(shape)
        return (_summed(bits) if told["even"] else bits).view(np.float32)


def kept(case: Case) -> bytes:
    """Keep a case, without its scan.

    Parameters
    ----------
    case : Case

    Returns
    -------
    bytes
        For `kept_again`; the same for the same case.
    """
    pixels = _Pixels()
    reading, glance = case.reading, case.glance
    told = {
        "sources": [source.sha256 for source in reading.scan.sources],
        "reading": {
            one.name: _told(getattr(reading, one.name), pixels) for one in fields(reading) if one.name not in _LEFT_OUT
        },
        "glance": None
        if glance is None
        else {
            "exchanged": glance.exchanged,
            "embedding": _told(glance.embedding, pixels),
            "grids": [[str(view.name), _told(_grid(view), pixels)] for view in glance.views],
        },
    }
    flat = {name: np.concatenate([np.zeros(0, np.uint8), *parts]) for name, parts in pixels.parts.items()}
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        format=np.array(FORMAT),
        told=np.frombuffer(json.dumps(told, separators=(",", ":")).encode(), np.uint8),
        float32=flat["float32"],
        uint8=flat["uint8"],
        bool=flat["bool"],
    )
    return buffer.getvalue()


def kept_again(content: bytes, scan: Scan) -> Case:
    """Open what `kept` has kept.

    Parameters
    ----------
    content : bytes
    scan : Scan
        Opened from the files that were read.

    Returns
    -------
    Case

    Raises
    ------
    UnreadableInput
        When it is no state, one of another format, or one of other files.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            number = int(archive["format"])
            if number != FORMAT:
                raise UnreadableInput(
                    f"This reading was kept in format {number} and bonescan edits format {FORMAT}; read the study "
                    "again to edit it.",
                    got=number,
                    expected=FORMAT,
                )
            told = json.loads(archive["told"].tobytes())
            taken = _Taken({name: archive[name] for name in _TYPES})
        if told["sources"] != [source.sha256 for source in scan.sources]:
            raise UnreadableInput(
                "This reading was made of other files than the study holds now; read the study again to edit it."
            )
        values = {name: _valued(value, taken) for name, value in told["reading"].items()}
        reading = model.Reading(scan=scan, remarks=scan.remarks + values["labels"].remarks, **values)
        seen = told["glance"]
        glance = None if seen is None else _glance(seen, taken, scan)
        reading.labels.paired_with(scan)
        return Case(reading=reading, glance=glance)
    except UnreadableInput:
        raise
    except (
        OSError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UnreadableInput(
            "What was kept of this reading for editing cannot be opened; read the study again to edit it."
        ) from error


def _grid(view: DenseView) -> MapGrid:
    if view.grid is not None:
        return view.grid
    maps = np.stack([view.regions[0], *view.foci.values()])
    return MapGrid(maps=maps, pixels=(1.0, 1.0))


def _glance(told: Mapping[str, Any], taken: _Taken, scan: Scan) -> Glance:
    shapes = {view.name: view.counts.shape for view in scan.views}
    embedding = _valued(told["embedding"], taken)
    views = tuple(
        DenseView.drawn_from(ViewName(name), _valued(grid, taken), shapes[ViewName(name)])
        for name, grid in told["grids"]
    )
    return Glance(views=views, exchanged=float(told["exchanged"]), embedding=embedding)


def _told(value: Any, pixels: _Pixels, even: bool = False) -> Any:
    """A value as JSON, its arrays put aside."""
    if isinstance(value, Enum):
        return {"kind": type(value).__name__, "value": value.value}
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, np.ndarray):
        return pixels.put(value, even)
    if isinstance(value, tuple):
        return [_told(one, pixels) for one in value]
    if isinstance(value, frozenset):
        return {"set": sorted(value)}
    if isinstance(value, Mapping):
        return {"pairs": [[_told(key, pixels), _told(one, pixels)] for key, one in value.items()]}
    if not (is_dataclass(value) and type(value).__name__ in _KINDS):
        raise TypeError(f"A state holds no {type(value).__name__}.")
    own = {one.name: _told(getattr(value, one.name), pixels, one.name in _EVEN) for one in fields(value)}
    return {"kind": type(value).__name__, "fields": own}


def _valued(told: Any, taken: _Taken) -> Any:
    """What `_told` told, in the same order."""
    if isinstance(told, list):
        return tuple(_valued(one, taken) for one in told)
    if not isinstance(told, dict):
        return told
    if "array" in told:
        return taken.take(told)
    if "set" in told:
        return frozenset(told["set"])
    if "pairs" in told:
        return {_valued(key, taken): _valued(one, taken) for key, one in told["pairs"]}
    kind = _KINDS[told["kind"]]
    if "value" in told:
        return kind(told["value"])
    return kind(**{name: _valued(one, taken) for name, one in told["fields"].items()})


def _differences(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    along = np.diff(bits, axis=1, prepend=np.int32(0))
    return np.ascontiguousarray(np.diff(along, axis=0, prepend=np.int32(0)))


def _summed(differences: NDArray[np.int32]) -> NDArray[np.int32]:
    """The inverse of `_differences`; sums wrap as the differences did."""
    return np.asarray(differences.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32))
