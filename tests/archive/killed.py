"""Objects are kept by a process that is killed at every step in turn; another then looks at what is left.

Run as a program, ``killed.py FOLDER STRIDE [FUZZ]``, because it forks: this process has but one thread. Its children
die by SIGKILL before the n-th call that changes the disk or ends a transaction, for every STRIDE-th n, or, with FUZZ,
so many times at any moment. It prints one line of JSON for each: the step, what was acknowledged, and what does not
hold.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, event
from tests.archive.made import NM, object_of

from bonescan.archive import audit
from bonescan.archive.objects import file_digest
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive

SETTINGS = Settings(reserve_gib=0.0)
STEPS = ("write", "fsync", "link", "unlink", "mkdir", "replace", "rename")
SENT = [(1, {}), (1, {"AccessionNumber": "7"}), (2, {"study": 2})]  # the second holds other bytes under the same UID


def die_before(die_at: int, acknowledged: int) -> None:
    """End this process by SIGKILL before step `die_at` of what it does to the disk and the index."""
    calls = 0

    def step(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal calls
        if name == "write" and arguments and arguments[0] == acknowledged:
            return
        calls += 1
        if calls == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in STEPS:
        plain = getattr(os, name) if name != "fsync" else lambda *_: None  # the disk outlives a process in any case
        setattr(os, name, lambda *a, plain=plain, name=name, **k: (step(name, a), plain(*a, **k))[1])
    event.listen(Engine, "commit", lambda _: step("commit", ()))
    event.listen(Engine, "checkin", lambda *_: step("after a transaction", ()))


def keep_all(folder: Path, acknowledged: int, die_at: int = 0) -> None:
    """Keep everything, write a byte for each that is acknowledged, and die before step `die_at`."""
    write = os.write
    die_before(die_at, acknowledged)
    with Archive(folder, SETTINGS) as archive:
        for number, options in SENT:
            archive.keep(object_of(number, **options))
            write(acknowledged, b"%d" % number)
    os._exit(0)


def faults(folder: Path, acknowledged: list[int]) -> list[str]:
    """What does not hold of an archive whose process was killed."""
    found = []
    with Archive(folder, SETTINGS) as archive:
        rows = [stored for study in ("1.9.1", "1.9.2") for stored in archive.paths({"StudyInstanceUID": [study]})]
        for stored in rows:
            if not stored.path.is_file() or stored.path.stat().st_size != stored.size_bytes:
                found.append(f"{stored.sop_instance_uid} is in the index and not whole")
        held = archive.holds([(NM, f"1.2.3.{number}") for number in acknowledged])
        found += [
            f"{number} was acknowledged and is lost"
            for number, there in zip(acknowledged, held, strict=True)
            if not there
        ]
        if acknowledged[1:] and archive.counts()["conflict"] != 1:
            found.append("the other object was acknowledged and is lost")
        if {stored.path for stored in rows} != set(archive.objects.files()):
            found.append("a file is not in the index, though the archive was opened again")
        if list(archive.objects.incoming.iterdir()):
            found.append("something is left of what was on its way in")
        known = [file_digest(stored.path) for stored in rows]
        said = {
            e.detail["sha256"]
            for e in audit.entries(archive.database)
            if e.action in ("object.received", "object.found")
        }
        if not set(known) <= said:
            found.append("an object is not in the audit trail")
        if audit.verify(archive.database, archive.folder).first_bad is not None:
            found.append("the audit trail is broken")
        if (
            archive.counts()["object_bytes"]
            != sum(path.stat().st_size for path in [*archive.objects.files(), *archive.objects.conflicts.glob("*.dcm")])
            and acknowledged[1:]
        ):
            found.append("the meter is wrong")
        for number, options in SENT:  # the sender tries again
            archive.keep(object_of(number, **options))
        if archive.counts()["instance"] != 2 or archive.counts()["conflict"] != 1:
            found.append("not everything is there after the sender tried again")
    return found


def killed_once(
    folder: Path, die_at: int, after_s: float = 0.0, does: Callable[[Path, int, int], None] = keep_all
) -> tuple[bool, list[int]]:
    """Whether the child was killed, and what it had acknowledged."""
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            does(folder, said, die_at)
        finally:
            os._exit(1)
    os.close(said)
    if after_s:
        time.sleep(after_s)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(heard, "rb") as pipe:
        acknowledged = [int(digit) for digit in pipe.read().decode()]
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the child failed by itself")
    return os.WIFSIGNALED(status), acknowledged


def main() -> None:
    home, stride, fuzz = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    rng = random.Random(7)
    with Archive(home / "empty", SETTINGS):
        pass
    for step in range(1, 1000, stride):
        folder = shutil.copytree(home / "empty", home / str(step))
        if not fuzz:
            killed, acknowledged = killed_once(folder, step)
        else:
            killed, acknowledged = killed_once(folder, 0, rng.uniform(0.02, 0.3))
        outcome = {"step": step, "acknowledged": len(acknowledged), "faults": faults(folder, acknowledged)}
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()  # before the next fork
        if (fuzz and step == fuzz) or not (fuzz or killed):
            return


if __name__ == "__main__":
    main()
