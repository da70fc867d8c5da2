"""Files written whole or not at all: what a journey leaves on the disk.

A folder gets all the files of a result or keeps those it had: they are first written aside, then take their places, and
what stood there is put back if that fails.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bonescan.errors import OutputFailed

__all__ = ["STAGE_PREFIX", "alone_in", "staged", "told_plainly", "write_file"]

STAGE_PREFIX = ".bonescan-unfinished-"
"""What the name of a folder begins with whose files have not taken their places yet."""

_PLAIN_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is used up",
    errno.EACCES: "you may not write there, or a file there is open in another program",
    errno.EPERM: "you may not write there, or a file there is open in another program",
    errno.EROFS: "that disk is read-only",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
}


def write_file(path: Path, content: bytes) -> None:
    """Write one file whole or not at all.

    Parameters
    ----------
    path : Path
        Replaced if it exists; its folder is made when absent.
    content : bytes

    Raises
    ------
    OutputFailed
        When it cannot be written; an earlier file is then intact.
    """
    with told_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGE_PREFIX, dir=path.parent) as stage:
            _write(Path(stage) / "new", content)
            os.replace(Path(stage) / "new", path)


@contextmanager
def staged(
    out: Path, replaced: Sequence[str], folders: Sequence[str] = ()
) -> Iterator[Callable[[Mapping[str, bytes]], None]]:
    """Make sure a folder can be written, then give the function that puts all files of a result into it.

    The work folder lies inside `out`: always the same disk, and writable whenever `out` is, even where `out` is a
    mounted volume.

    Parameters
    ----------
    out : Path
        Made when absent; removed again if it stayed empty.
    replaced : sequence of str
        Names an earlier result may have left in `out`: they go, even where the new one has no such file.
    folders : sequence of str
        Those of them that are folders and go with all that is in them; any other folder in the way is an error.

    Yields
    ------
    callable
        Takes the files' contents by name, ``"folder/name"`` for those in a folder of `folders`.

    Raises
    ------
    OutputFailed
        When `out` cannot be written; what was there is then intact.
    """
    existed = out.exists()
    with told_plainly(out):
        out.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=out))

    def place(files: Mapping[str, bytes]) -> None:
        with told_plainly(out):
            new, earlier = stage / "new", stage / "earlier"
            new.mkdir()
            earlier.mkdir()
            for name, content in files.items():
                (new / name).parent.mkdir(exist_ok=True)
                _write(new / name, content)
            with alone_in(out):
                _move(out, new, earlier, replaced, folders)

    try:
        yield place
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # only succeeds when the folder stayed empty
                out.rmdir()


def _move(out: Path, new: Path, earlier: Path, replaced: Sequence[str], folders: Sequence[str]) -> None:
    """Move the earlier result out of `out` and the new one in, or leave all as it was.

    Of the names in `replaced`, what the earlier result had and the new one lacks goes too: a posterior picture must not
    stay beside the report of another scan.
    """
    arriving = sorted(path.name for path in new.iterdir())
    leaving = [name for name in sorted({*replaced, *arriving}) if os.path.lexists(out / name)]
    for name in leaving:
        if (out / name).is_dir() and name not in folders:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    moves = [(out / name, earlier / name) for name in leaving] + [(new / name, out / name) for name in arriving]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            os.replace(source, target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            os.replace(target, source)
        raise


@contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other runs from moving files into a folder: two results must not end up mixed.

    The folder itself is locked, so no lock file is left behind. Windows and some
    network disks have no such lock; there the moves follow each other unguarded.

    Parameters
    ----------
    folder : Path
    wait : bool
        Until the other run has ended; else it is an error.

    Yields
    ------
    None

    Raises
    ------
    OutputFailed
        Without waiting, while another run is at work.
    """
    with ExitStack() as held:
        busy = False
        with suppress(ImportError, OSError):
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)  # which also unlocks it
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                busy = True
        if busy:
            raise OutputFailed("Another run is at work in this folder; wait for it, or choose another folder.")
        yield


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # on the disk before it takes its place: a power cut leaves no empty report


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into one sentence.

    Parameters
    ----------
    path : Path
        What is being written.

    Yields
    ------
    None

    Raises
    ------
    OutputFailed
        In place of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        cause = _PLAIN_CAUSES.get(error.errno or 0, error.strerror or type(error).__name__)
        raise OutputFailed(
            f"Could not write to {path}: {cause}; nothing that was there has changed. Choose another place and "
            "run the same command again.",
            path=str(path),
            errno=error.errno,
        ) from error
