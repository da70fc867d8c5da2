"""Damage DICOM files in every way and see that none is passed off as good.

    python bench/fuzz_dicom.py --files 10000

Each file is a seed object with one to three mutations: flipped bits, cut-offs,
lost or doubled stretches, swapped, deleted or duplicated elements, altered VRs,
lengths and values. `bonescan.dicom.open_scan` must then do one of these:

same          the same views with the same pixels as the undamaged object
told          other pixels or another view, with a remark that warns of a defect
unverifiable  other pixels in an object that states no total counts, or says it is lossy, and the remark that says so
balanced      up to 16 other pixel values that still add up to the total the file states: no witness is left
refused       `UnreadableInput` or `NotABoneScan`

and never raise anything else (``traceback``), take more than 5 s (``hang``), kill the process
(``crash``), speak a patient identifier (``leak``), or give other pixels or another view without a
warning (``silent``). Flipped pixel bytes can be known only by the total that the file itself states, so the
seeds state it; a second damage that removes that statement makes the file `unverifiable`. What a view is counts as
told only by a warning, for the note that names its basis is always there.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.dicom.phantom import PATIENT_ID, PATIENT_NAME, both, written

from bonescan.dicom import open_scan
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import Scan, Severity

FAILURES = ("silent", "leak", "traceback", "hang", "crash")
OUTCOMES = ("same", "told", "unverifiable", "balanced", "refused", *FAILURES)
LIMIT_S = 5
IDENTIFIERS = (*PATIENT_NAME.split("^"), PATIENT_ID, "CompressedSamples", "8NM1", "BERRA")
_DEFECT_NOTES = ("dicom.counts.disagree", "dicom.nonconforming", "dicom.pixels.")


class Hang(BaseException):
    """The alarm rang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """An undamaged object and what it reads as."""

    name: str
    data: bytes
    scan: Scan
    elements: tuple[tuple[int, int, int], ...]


def seeds() -> list[Seed]:
    """NM1 as JPEG lossless, JPEG 2000, 12-bit JPEG and native; a synthetic two-frame object in nine encodings."""
    named = ("JPEG-LL.dcm", "JPEG2000.dcm", "JPEG-lossy.dcm", "JPEG2000_UNC.dcm")
    found = [(name, Path(str(get_testdata_file(name))).read_bytes()) for name in named]
    found += [(f"two frames, {name}", data) for name, data in synthetic_encodings()]
    return [_seed(name, data) for name, data in found]


def synthetic_encodings() -> Iterator[tuple[str, bytes]]:
    """The two-frame phantom in every encoding that can be written, and with its views named in other ways."""
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGLSLossless,
        RLELossless,
    )

    yield "explicit", written(both(syntax=ExplicitVRLittleEndian))
    yield "explicit, angle only", written(both(codes=None))
    yield "explicit, unnamed", written(both(codes=None, angles=None))
    yield "implicit", written(both(syntax=ImplicitVRLittleEndian))
    yield "deflated", written(both(syntax=DeflatedExplicitVRLittleEndian))
    big = both(syntax=ExplicitVRBigEndian)
    big.PixelData = np.frombuffer(big.PixelData, "<u2").byteswap().tobytes()
    yield "big endian", written(big)
    for name, syntax in (("RLE", RLELossless), ("JPEG-LS", JPEGLSLossless), ("JPEG 2000", JPEG2000Lossless)):
        ds = both()
        ds.compress(syntax, generate_instance_uid=False)
        yield name, written(ds)


def _seed(name: str, data: bytes) -> Seed:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.dcm"
        path.write_bytes(data)
        return Seed(name=name, data=data, scan=open_scan([path]), elements=tuple(_elements(data)))


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, start of value, end) of the top-level elements of a file that is not deflated."""
    ds = pydicom.dcmread(io.BytesIO(data))
    if ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.99":
        return
    for tag in list(ds.keys()):
        raw = ds.get_item(tag)
        if isinstance(raw, pydicom.dataelem.RawDataElement) and raw.length != 0xFFFFFFFF:
            long_form = (
                raw.VR in ("OB", "OW", "OF", "SQ", "UN", "UT", "OD", "OL", "UC", "UR") and not raw.is_implicit_VR
            )
            yield raw.value_tell - (12 if long_form else 8), raw.value_tell, raw.value_tell + raw.length


def mutate(seed: Seed, rng: np.random.Generator) -> bytes:
    """Return the seed with one to three mutations; element-wise ones first, for they need its offsets."""
    count = int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))
    kinds = sorted(rng.choice(len(_MUTATIONS), count, replace=False))
    data = bytearray(seed.data)
    moved = False
    for kind in kinds:
        change, needs_elements = _MUTATIONS[kind]
        if needs_elements and (moved or not seed.elements):
            change, needs_elements = _flip_bits, False
        data = change(data, seed, rng)
        moved = moved or needs_elements
    return bytes(data)


def _flip_bits(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    if not data:
        return data
    end = min(len(data), 4096) if rng.random() < 0.7 else len(data)
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(0, end))] ^= 1 << int(rng.integers(0, 8))
    return data


def _cut_off(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    at = int(rng.integers(0, len(data))) if rng.random() < 0.5 else int(len(data) ** rng.random())
    return data[:at]


def _lose_stretch(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    at, size = int(rng.integers(0, len(data) + 1)), int(2 ** rng.uniform(0, 12))
    return data[:at] + data[at + size :]


def _double_stretch(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    at, size = int(rng.integers(0, len(data) + 1)), int(2 ** rng.uniform(0, 12))
    return data[: at + size] + data[at : at + size] + data[at + size :]


def _pick(seed: Seed, rng: np.random.Generator) -> tuple[int, int, int]:
    return seed.elements[int(rng.integers(0, len(seed.elements)))]


def _swap_elements(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    (a, _, b), (c, _, d) = sorted((_pick(seed, rng), _pick(seed, rng)))
    return data if a == c else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _swap_tags(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    (a, *_), (c, *_) = _pick(seed, rng), _pick(seed, rng)
    data[a : a + 4], data[c : c + 4] = data[c : c + 4], data[a : a + 4]
    return data


def _delete_element(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    a, _, b = _pick(seed, rng)
    return data[:a] + data[b:]


def _duplicate_element(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    a, _, b = _pick(seed, rng)
    return data[:b] + data[a:b] + data[b:]


def _alter_vr(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    a, *_ = _pick(seed, rng)
    vrs = (b"US", b"SS", b"UL", b"FD", b"DS", b"IS", b"SQ", b"UN", b"OB", b"OW", b"PN", b"AT", b"UI", b"LO", b"??")
    data[a + 4 : a + 6] = vrs[int(rng.integers(0, len(vrs)))]
    return data


def _alter_length(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    _, value, _ = _pick(seed, rng)
    wild = (0, 1, 2, 0xFFFF, 0xFFFE, 0xFFFFFFFF, 0x7FFFFFFF, int(rng.integers(0, 65536)))
    length = wild[int(rng.integers(0, len(wild)))]
    if rng.random() < 0.5:
        data[value - 4 : value] = struct.pack("<I", length & 0xFFFFFFFF)
    else:
        data[value - 2 : value] = struct.pack("<H", length & 0xFFFF)
    return data


def _alter_value(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    _, value, end = _pick(seed, rng)
    end = min(end, value + 64)
    if rng.random() < 0.5:
        letters = np.frombuffer(b"0123456789.-\\ AP", np.uint8)
        data[value:end] = rng.choice(letters, end - value).tobytes()
    else:
        data[value:end] = rng.integers(0, 256, end - value, dtype=np.uint8).tobytes()
    return data


_Change = Callable[[bytearray, Seed, np.random.Generator], bytearray]
_MUTATIONS: tuple[tuple[_Change, bool], ...] = (
    (_swap_elements, True),
    (_swap_tags, True),
    (_delete_element, True),
    (_duplicate_element, True),
    (_alter_vr, True),
    (_alter_length, True),
    (_alter_value, True),
    (_flip_bits, False),
    (_cut_off, False),
    (_lose_stretch, False),
    (_double_stretch, False),
)


def _ring(number: int, frame: FrameType | None) -> None:
    raise Hang


def judge(seed: Seed, path: Path) -> tuple[str, str]:
    """Open the damaged file and return (outcome, detail)."""
    signal.signal(signal.SIGALRM, _ring)
    signal.alarm(LIMIT_S)
    try:
        scan = open_scan([path])
    except (UnreadableInput, NotABoneScan) as error:
        return ("leak", str(error)) if _leaks(str(error)) else ("refused", str(error))
    except Hang:
        return "hang", traceback.format_exc(limit=-3)
    except Exception:
        return "traceback", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
    words = " ".join(remark.text for remark in scan.remarks)
    if _leaks(words):
        return "leak", words
    return compare(seed.scan, scan)


def _leaks(words: str) -> bool:
    return any(identifier in words for identifier in IDENTIFIERS)


def compare(good: Scan, read: Scan) -> tuple[str, str]:
    """Say whether what was read from damaged bytes differs, and whether its remarks tell so."""
    same_names = [view.name for view in good.views] == [view.name for view in read.views]
    pixels = [view.counts for view in good.views], [view.counts for view in read.views]
    same_pixels = len(pixels[0]) == len(pixels[1]) and all(map(np.array_equal, *pixels))
    if same_names and same_pixels:
        return "same", ""
    new = set(read.remarks) - set(good.remarks)
    if any(remark.severity is not Severity.NOTE for remark in new):
        return "told", ""
    exchanged = len(read.views) == 2 and all(map(np.array_equal, pixels[0], pixels[1][::-1]))
    renamed = not same_names or exchanged
    if not renamed and any(remark.code.startswith(_DEFECT_NOTES) for remark in new):
        return "told", ""
    if not renamed and any(remark.code == "dicom.counts.unverified" for remark in new):
        return "unverifiable", ""
    if not renamed and any(remark.code == "dicom.pixels.lossy" for remark in read.remarks):
        return "unverifiable", ""
    if not renamed and sum(int(np.count_nonzero(a != b)) for a, b in zip(*pixels, strict=True)) <= 16:
        totals = [sum(view.total_counts for view in scan.views) for scan in (good, read)]
        if totals[0] == totals[1]:
            return "balanced", ""
    return "silent", f"names same: {same_names}, pixels same: {same_pixels}; new: {sorted(r.code for r in new)}"


def fuzz(targets: list[Seed], first: int, last: int, random_seed: int) -> Iterator[tuple[int, str, str, str, float]]:
    """Yield (number, seed name, outcome, detail, seconds) of each damaged file; each has its own random state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.dcm"
        for number in range(first, last):
            seed = targets[number % len(targets)]
            path.write_bytes(mutate(seed, np.random.default_rng([random_seed, number])))
            begin = time.perf_counter()
            outcome, detail = judge(seed, path)
            yield number, seed.name, outcome, detail, time.perf_counter() - begin


def _in_child(targets: list[Seed], first: int, last: int, random_seed: int) -> list[tuple[int, str, str, str, float]]:
    """Run a stretch in a forked child, so that a decoder that kills its process is counted, not obeyed."""
    found: list[tuple[int, str, str, str, float]] = []
    while first < last:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 2)
            with os.fdopen(writer, "wb") as stream:
                for row in fuzz(targets, first, last, random_seed):
                    pickle.dump(row, stream)
                    stream.flush()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            while first < last:
                if not stream.peek(1) and not select.select([stream], [], [], 0)[0]:
                    break
                try:
                    found.append(pickle.load(stream))  # our own child's words
                except EOFError:
                    break
                first += 1
        os.waitpid(child, 0)
        if first < last:
            found.append((first, targets[first % len(targets)].name, "crash", "the process died", 0.0))
            first += 1
    return found


def main() -> int:
    """Run and print the table; 1 when anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    targets = seeds()
    table: dict[str, Counter[str]] = {seed.name: Counter() for seed in targets}
    slowest, details = 0.0, []
    rows: list[tuple[int, str, str, str, float]] = []
    for first in range(options.first, options.files, 500):
        rows += _in_child(targets, first, min(first + 500, options.files), options.seed)
        print(f"\r{len(rows)} of {options.files}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for number, name, outcome, detail, seconds in rows:
        table[name][outcome] += 1
        slowest = max(slowest, seconds)
        if outcome in FAILURES:
            details.append(f"#{number} ({name}) {outcome}: {detail}")
    print(f"{'seed object':34}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES))
    for name, counts in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{name:34}" + "".join(f"{counts[outcome]:13}" for outcome in OUTCOMES))
    print(f"slowest file {slowest:.2f} s; random seed {options.seed}")
    for line in details[:20]:
        print(line)
    return 1 if details else 0


if __name__ == "__main__":
    sys.exit(main())
