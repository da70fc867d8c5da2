"""The object store: every object a file of its own, as it came, under a name its UID decides.

::

    content ─► incoming/RANDOM.part ─► fsync ─► link ─► objects/ab/cd/SHA256-OF-UID.dcm ─► fsync of the folder
                                                │
                        (the part stays until the index knows the object: `Spooled.close`)

The name is a digest of the UID, so no UID, however it is written, can lead out of the store, and folders fill evenly.
A hard link never replaces what is there: of several senders of one UID exactly one puts its file in place, whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from bonescan.archive.processes import is_gone, this_process
from bonescan.errors import ArchiveUnavailable, QuotaExceeded

__all__ = ["ObjectStore", "Spooled", "file_digest", "held_alone", "open_for_writing", "sync_folder", "told_plainly"]

_BLOCK_BYTES = 1 << 20
_STALE_S = 3600.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what the disk says into the archive's own errors.

    Yields
    ------
    None

    Raises
    ------
    QuotaExceeded
        When the disk is full.
    ArchiveUnavailable
        When it fails otherwise.
    """
    try:
        yield
    except (QuotaExceeded, ArchiveUnavailable):
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise QuotaExceeded(
                "The archive's disk is full: nothing was stored; make room, then send the object again."
            ) from error
        raise ArchiveUnavailable(
            f"The archive's disk does not take the object ({error.strerror}); send it again later.", errno=error.errno
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where folders cannot be opened, as on Windows, the file system must do.

    Parameters
    ----------
    folder : Path
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held_alone(file: Path, *, otherwise: str) -> Iterator[None]:
    """Hold a file that one process at a time may hold; the system lets go of it when a process ends, however it ends.

    Parameters
    ----------
    file : Path
        Made when absent; it stays, for it means nothing where nobody holds it.
    otherwise : str
        What is said while another process holds it.

    Yields
    ------
    None

    Raises
    ------
    ArchiveUnavailable
        While another one does.
    """
    with told_plainly():
        opened = file.open("ab")
    with opened:
        try:
            _lock(opened)
        except OSError as error:
            raise ArchiveUnavailable(otherwise) from error
        yield


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read in blocks.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_for_writing(path: Path) -> int:
    """Open a new file that only its owner may read; a name that is taken is an error.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int
        The file's handle.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o640)


@dataclass(slots=True, kw_only=True)
class Spooled:
    """One object in the store's own folder for what comes in, durable but nowhere yet.

    Parameters
    ----------
    path : Path
    size_bytes : int
    sha256 : str
    """

    path: Path
    size_bytes: int
    sha256: str
    placed: bool = False
    indexed: bool = False

    def __enter__(self) -> Spooled:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Remove the part, unless it is the only sign that its object still wants to be indexed."""
        if self.indexed or not self.placed:
            with suppress(OSError):
                self.path.unlink()


class ObjectStore:
    """Files by UID below one folder.

    Parameters
    ----------
    folder : Path
        The archive's; ``objects``, ``incoming`` and ``conflicts`` are made in it.
    """

    def __init__(self, folder: Path) -> None:
        self.objects = folder / "objects"
        self.incoming = folder / "incoming"
        self.conflicts = folder / "conflicts"
        with told_plainly():
            for place in (self.objects, self.incoming, self.conflicts):
                place.mkdir(parents=True, exist_ok=True)
            sync_folder(folder)

    def place_of(self, sop_instance_uid: str) -> Path:
        """Where the object of a UID is, or would be.

        Parameters
        ----------
        sop_instance_uid : str
            Any text.

        Returns
        -------
        Path
        """
        return self.objects.parent / self.relative_place(sop_instance_uid)

    @staticmethod
    def relative_place(sop_instance_uid: str) -> str:
        """Where the object of a UID is within the archive's folder.

        Parameters
        ----------
        sop_instance_uid : str

        Returns
        -------
        str
            With slashes; made of a digest alone, so that no UID leads elsewhere.
        """
        name = hashlib.sha256(sop_instance_uid.encode("utf-8", "surrogatepass")).hexdigest()
        return f"objects/{name[:2]}/{name[2:4]}/{name}.dcm"

    def free_bytes(self) -> int:
        """What the disk still takes.

        Returns
        -------
        int
        """
        with told_plainly():
            return shutil.disk_usage(self.objects).free

    def spool(self, content: bytes | Path) -> Spooled:
        """Write an object into the store, durable under a name of its own.

        Parameters
        ----------
        content : bytes or Path
            What to write, or the file that holds it.

        Returns
        -------
        Spooled
            A context: leaving it removes the part when it is no longer needed.

        Raises
        ------
        QuotaExceeded
            When the disk is full; nothing is left behind.
        ArchiveUnavailable
            When the disk fails otherwise.
        """
        path = self.incoming / f"{this_process()}-{uuid.uuid4().hex}.part"
        digest, size = hashlib.sha256(), 0
        with told_plainly():
            try:
                ours = isinstance(content, Path) and content.absolute().is_relative_to(self.incoming.parent)
                if isinstance(content, Path) and ours and _linked(content, path):  # nobody else writes to it later
                    return Spooled(path=path, size_bytes=path.stat().st_size, sha256=file_digest(path))
                handle = open_for_writing(path)
                try:
                    for block in _blocks(content):
                        digest.update(block)
                        size += len(block)
                        _write_all(handle, block)
                    os.fsync(handle)
                finally:
                    os.close(handle)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return Spooled(path=path, size_bytes=size, sha256=digest.hexdigest())

    def put(self, spooled: Spooled, sop_instance_uid: str) -> bool:
        """Give a spooled object its place, unless one of its UID has it.

        Parameters
        ----------
        spooled : Spooled
        sop_instance_uid : str

        Returns
        -------
        bool
            False when the place is taken: that file stays as it is.
        """
        place = self.place_of(sop_instance_uid)
        with told_plainly():
            self._make_way(place)
            try:
                os.link(spooled.path, place)
                spooled.placed = True
            except FileExistsError:
                pass
            sync_folder(place.parent)  # whoever put it there may not have come so far yet
        return spooled.placed

    def replace(self, spooled: Spooled, sop_instance_uid: str) -> None:
        """Put a spooled object where a damaged file of the same object lies, or none.

        Parameters
        ----------
        spooled : Spooled
        sop_instance_uid : str
        """
        place = self.place_of(sop_instance_uid)
        second = spooled.path.with_name(f"{spooled.path.stem}-again.part")
        with told_plainly():
            self._make_way(place)
            os.link(spooled.path, second)
            os.replace(second, place)
            spooled.placed = True
            second.unlink(missing_ok=True)  # still there where it and the place were one file already
            sync_folder(place.parent)

    def set_aside(self, spooled: Spooled) -> Path:
        """Keep an object whose UID another one holds, under the digest of its bytes.

        Parameters
        ----------
        spooled : Spooled

        Returns
        -------
        Path
        """
        place = self.conflicts / f"{spooled.sha256}.dcm"
        with told_plainly():
            with suppress(FileExistsError):
                os.link(spooled.path, place)
            sync_folder(self.conflicts)
        return place

    def remove(self, sop_instance_uid: str) -> None:
        """Delete the file of a UID, if it is there.

        Parameters
        ----------
        sop_instance_uid : str
        """
        place = self.place_of(sop_instance_uid)
        with told_plainly():
            if place.parent.is_dir():
                place.unlink(missing_ok=True)
                sync_folder(place.parent)

    def remove_aside(self, sha256: str) -> None:
        """Delete an object that was set aside, if it is there.

        Parameters
        ----------
        sha256 : str
        """
        with told_plainly():
            (self.conflicts / f"{sha256}.dcm").unlink(missing_ok=True)
            sync_folder(self.conflicts)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let nothing be deleted meanwhile: one backup or deletion runs at a time.

        The system lets go of it when a process ends, however it ends.

        Yields
        ------
        None

        Raises
        ------
        ArchiveUnavailable
            While another one runs.
        """
        running = "A backup or a deletion of this archive is running; try again when it is done."
        with held_alone(self.incoming.parent / "deletion.lock", otherwise=running):
            yield

    def files(self) -> Iterator[Path]:
        """Every object's file.

        Yields
        ------
        Path
        """
        yield from sorted(self.objects.glob("*/*/*.dcm"))

    def parts(self) -> Iterator[Path]:
        """Every part: objects on their way in, and what a killed process left of them.

        Yields
        ------
        Path
        """
        yield from sorted(self.incoming.glob("*.part"))

    def is_stale(self, part: Path) -> bool:
        """Whether nobody can be writing a part any more: its process is gone, or it was last written an hour ago.

        The hour is for parts of other machines. A clock that jumps can only make a living sender's object fail there,
        and that sender then sends it again.

        Parameters
        ----------
        part : Path

        Returns
        -------
        bool
        """
        if is_gone(part.name):
            return True
        with suppress(OSError):
            return time.time() - part.stat().st_mtime > _STALE_S
        return False

    def _make_way(self, place: Path) -> None:
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(self.objects)
            sync_folder(place.parent.parent)


def _linked(file: Path, path: Path) -> bool:
    """Give a whole file another name on the same disk, durable: an object of 2 GiB is not written a second time.

    Its writer removes the first name. A process that is killed before that leaves a part that is nowhere else in the
    store, which is swept away like any other.
    """
    if os.name == "nt":  # no way to flush a file that is open for reading
        return False
    try:
        os.link(file, path)
    except OSError:
        return False  # another disk, or one without links: it is copied
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(handle, 0o640)
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def _blocks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _write_all(handle: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(handle, view) :]


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
