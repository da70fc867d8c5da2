"""An archive on a small disk of its own that has this much room and that; run as a program in a mount of its own.

``full_disk.py FOLDER STRIDE``: for each room from nothing to more than an object and its index need, an object is
given; it is acknowledged or refused in one of the archive's own sentences. Then there is room again, and the same
object is given once more. It prints what does not hold, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.archive.made import NM, object_of

from bonescan.archive import check
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.errors import ArchiveUnavailable, QuotaExceeded

SETTINGS = Settings(reserve_gib=0.0)
PIXELS = bytes(30_000)
MOST_ROOM = 160_000


def fill(ballast: Path, room: int) -> None:
    ballast.unlink(missing_ok=True)
    left = shutil.disk_usage(ballast.parent).free - room
    with ballast.open("wb") as file:
        file.write(bytes(max(0, left)))


def main() -> None:
    folder, stride = Path(sys.argv[1]) / "archive", int(sys.argv[2])
    ballast = folder.parent / "ballast"
    faults, refused, kept_at_once = [], 0, 0
    with Archive(folder, SETTINGS):
        pass
    for number, room in enumerate(range(0, MOST_ROOM, stride), start=1):
        fill(ballast, room)
        try:
            with Archive(folder, SETTINGS) as archive:
                archive.keep(object_of(number, PixelData=PIXELS))
                kept_at_once += 1
                if archive.holds([(NM, f"1.2.3.{number}")]) != [True]:
                    faults.append(f"acknowledged and not there with {room} bytes of room")
        except (QuotaExceeded, ArchiveUnavailable):
            refused += 1
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error} with {room} bytes of room")
        ballast.unlink(missing_ok=True)
        with Archive(folder, SETTINGS) as archive:
            archive.keep(object_of(number, PixelData=PIXELS))
    with Archive(folder, SETTINGS) as archive:
        if archive.counts()["instance"] != number:
            faults.append(f"{archive.counts()['instance']} of {number} objects are there")
        if left := list(archive.objects.incoming.iterdir()):
            faults.append(f"{len(left)} parts are left")
        if not (report := check(archive)).well:
            faults.append(f"the check found {report}")
    sys.stdout.write(json.dumps({"faults": faults, "refused": refused, "kept at once": kept_at_once}))


if __name__ == "__main__":
    main()
