"""Where the bytes come from: files, folders, zips and DICOMDIRs, within limits.

Nothing is unpacked to disk and no name inside an archive is ever used as a
path. Messages call files by their place, never by name: names of files often
hold the patient's.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import UnreadableInput

__all__ = ["MAX_FILE_BYTES", "Item", "gather"]

MAX_FILE_BYTES = 512 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30
MAX_FILES = 20_000
_MAX_ZIP_DEPTH = 2
# What `bonescan simulate` writes: folders of what is true, which no reader may see, and of what a camera would send.
_TRUTH, _TRUTH_RECORD, _SIMULATED = "truth", "truth.json", "dicom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file's content.

    Parameters
    ----------
    file_name : str
        Its own name without folders, for `Source`; never for a message.
    place : str
        How messages call it: ``"the file"``, ``"file 3 of 12"``.
    named : bool
        True when the user named this very file: a defect then is an error,
        while a file that merely lies in a folder may be passed over.
    data : bytes
    """

    file_name: str
    place: str
    named: bool
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(slots=True)
class _Allowance:
    """How much may still be read."""

    bytes_left: int = MAX_TOTAL_BYTES
    files_left: int = MAX_FILES

    def take(self, size: int) -> None:
        self.bytes_left -= size
        self.files_left -= 1
        if self.bytes_left < 0 or self.files_left < 0:
            raise UnreadableInput(
                f"The input holds more than {MAX_FILES} files or {MAX_TOTAL_BYTES >> 30} GiB; "
                "give the folder or the files of one study.",
                limit_files=MAX_FILES,
                limit_bytes=MAX_TOTAL_BYTES,
            )


def gather(inputs: Sequence[Path], *, leave_out: Collection[Path] = ()) -> list[Item]:
    """Read every file the inputs name or hold, in a stable order, the same content once.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders, zips and DICOMDIRs, in any mixture.
    leave_out : collection of Path
        Files to pass over where they lie in a folder.

    Returns
    -------
    list of Item
        At least one; bytes with the place that messages call them by.

    Raises
    ------
    UnreadableInput
        No such file, no permission, an encrypted or broken zip, or more than the limits allow.
    """
    if not inputs:
        raise UnreadableInput("Nothing to read: give a DICOM file, a folder or a zip.")
    allowance = _Allowance()
    found: list[tuple[str, bool, bytes]] = []
    left_out = frozenset(path.resolve() for path in leave_out)
    for path in inputs:
        found += _from_path(Path(path), allowance, left_out)
    unique = list({hashlib.sha256(data).digest(): (name, named, data) for name, named, data in found}.values())
    if not unique:
        raise UnreadableInput("The folder or archive holds no files; give the place where the study was exported to.")
    places = ["the file"] if len(unique) == 1 else [f"file {k + 1} of {len(unique)}" for k in range(len(unique))]
    return [
        Item(file_name=name, place=place, named=named, data=data)
        for (name, named, data), place in zip(unique, places, strict=True)
    ]


def _from_path(path: Path, allowance: _Allowance, left_out: frozenset[Path]) -> Iterator[tuple[str, bool, bytes]]:
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
            _refuse_truth(Path(folder))
            if (Path(folder) / _TRUTH / _TRUTH_RECORD).is_file():
                folders[:], names = [name for name in folders if name == _SIMULATED], []
            for name in sorted(names):
                file = Path(folder) / name
                if not name.startswith(".") and file.is_file() and file.resolve() not in left_out:
                    yield from _from_bytes(name, False, _read(file, allowance), allowance, 0)
        return
    _refuse_truth(path.parent)
    data = _read(path, allowance)
    if _is_directory_record(data):
        yield from _from_directory_record(data, path.parent, allowance)
    else:
        yield from _from_bytes(path.name, True, data, allowance, 0)


def _read(path: Path, allowance: _Allowance) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableInput("The input is neither a file nor a folder.")
        if size > MAX_FILE_BYTES:
            raise UnreadableInput(
                f"A file of {size >> 20} MiB is larger than the {MAX_FILE_BYTES >> 20} MiB a planar study can have.",
                limit_bytes=MAX_FILE_BYTES,
                got=size,
            )
        allowance.take(size)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableInput("The input does not exist; check the path.") from error
    except OSError as error:
        raise UnreadableInput(f"The input could not be read: {error.strerror or 'input/output error'}.") from error


def _is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _from_bytes(
    name: str, named: bool, data: bytes, allowance: _Allowance, depth: int
) -> Iterator[tuple[str, bool, bytes]]:
    if not _is_zip(data):
        # A directory record in a folder or archive describes files that lie beside it and are met anyway.
        if not _is_directory_record(data):
            yield name, named, data
        return
    if depth >= _MAX_ZIP_DEPTH:
        raise UnreadableInput("The archive nests zips within zips; unpack it and give the folder.")
    if not named and depth == 0 and not zipfile.is_zipfile(io.BytesIO(data)):
        return  # a stray damaged zip beside a study is not the study
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
            studies = _simulated_studies([entry.filename for entry in entries])
            for info in entries:
                inner = PurePosixPath(info.filename.replace("\\", "/"))
                if any(inner.is_relative_to(one) and not inner.is_relative_to(one / _SIMULATED) for one in studies):
                    continue
                if info.is_dir() or inner.name.startswith(".") or "__MACOSX" in inner.parts:
                    continue
                if info.flag_bits & 0x1:
                    raise UnreadableInput("The zip is protected by a password; unpack it and give the folder.")
                room = min(MAX_FILE_BYTES, allowance.bytes_left)
                with archive.open(info) as stream:
                    # The size an archive claims is not believed: one byte more than allowed is asked for.
                    content = stream.read(room + 1)
                if len(content) > MAX_FILE_BYTES:
                    raise UnreadableInput(
                        f"A file in the zip unpacks to more than {MAX_FILE_BYTES >> 20} MiB; this is no planar study.",
                        limit_bytes=MAX_FILE_BYTES,
                    )
                allowance.take(len(content))
                yield from _from_bytes(inner.name, False, content, allowance, depth + 1)
    except UnreadableInput:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError) as error:
        raise UnreadableInput("The zip is damaged or cut short; fetch it again.") from error


def _refuse_truth(folder: Path) -> None:
    if (folder / _TRUTH_RECORD).is_file():
        raise UnreadableInput(
            "This is the truth of a simulated study, which is never read; give the folder dicom beside it."
        )


def _simulated_studies(names: Sequence[str]) -> list[PurePosixPath]:
    """Folders of simulated studies in an archive."""
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    return [path.parent.parent for path in paths if path.parts[-2:] == (_TRUTH, _TRUTH_RECORD)]


def _is_directory_record(data: bytes) -> bool:
    return data[128:132] == b"DICM" and b"1.2.840.10008.1.3.10" in data[132:1024]


def _from_directory_record(data: bytes, folder: Path, allowance: _Allowance) -> Iterator[tuple[str, bool, bytes]]:
    import pydicom

    from bonescan.dicom.headers import items, texts

    keep_quiet()
    try:
        records = items(pydicom.dcmread(io.BytesIO(data)), "DirectoryRecordSequence")
    except Exception as error:  # hostile bytes make pydicom raise almost anything
        raise UnreadableInput("The DICOMDIR is damaged; give the folder it lies in.") from error
    parts = [texts(record, "ReferencedFileID") for record in records]
    root = folder.resolve()
    missing = 0
    for part in filter(None, parts):
        path = root.joinpath(*part).resolve()
        if not path.is_relative_to(root):
            raise UnreadableInput("The DICOMDIR points outside its own folder; give the folder with the images.")
        if path.is_file():
            yield from _from_bytes(path.name, False, _read(path, allowance), allowance, 0)
        else:
            missing += 1
    if missing:
        raise UnreadableInput(
            f"The DICOMDIR names {missing} file(s) that are not there; copy the whole medium, not the DICOMDIR alone.",
            missing=missing,
        )
