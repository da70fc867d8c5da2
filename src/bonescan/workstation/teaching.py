"""Scans for teaching: each student's in a process of their own, of which there are few, bounded in memory and time.

::

    student ─► one order at a time ─► process (of two at most) ─► scan and truth ─► pictures
                    │ busy: 429             └ too long: ended, and the next order begins another

Nothing of it is a patient's, nothing comes into the archive, and nothing outlives the process.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bonescan.journeys.teaching import FINE_MM, QUICK_MM, Lesson
from bonescan.journeys.teaching_process import LESIONS_NAME, READING_NAME, VIEW_NAME
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal

__all__ = ["Lessons"]

_PROCESS = (sys.executable, "-P", "-m", "bonescan.journeys.teaching_process")
_MOST_PROCESSES = 2
_MEMORY_BYTES = 6 * 2**30  # of address space: a reading takes about 1 GiB of memory within it
_LONGEST_S = {"scan": 120.0, "read": 240.0}  # the first of a process compiles or loads its code
_IDLE_S = 600.0
_TAKEN_FROM_IDLE_S = 20.0
_UPKEEP_S = 15.0


class Lessons:
    """All students' processes.

    Parameters
    ----------
    command : tuple of str
        What starts a process, see `bonescan.journeys.teaching_process`.
    clock : callable
        Monotonic seconds.
    longest_s : mapping of str to float, optional
        How long a scan and a reading may take.
    """

    def __init__(
        self,
        command: tuple[str, ...] = _PROCESS,
        clock: Callable[[], float] = time.monotonic,
        longest_s: Mapping[str, float] | None = None,
    ) -> None:
        self._command, self._clock, self._longest_s = command, clock, longest_s or _LONGEST_S
        self._students: dict[str, _Student] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._upkeep: threading.Thread | None = None

    def scan(self, who: Account, lesson: Lesson, *, quick: bool) -> dict[str, Any]:
        """Begin a scan; it takes the place of the student's last one.

        Parameters
        ----------
        who : Account
        lesson : Lesson
        quick : bool
            A first look in coarse voxels.

        Returns
        -------
        dict
            As `state`.

        Raises
        ------
        Refusal
            While another order of the student is under way, or all processes are taken.
        """
        student = self._student(who)
        return student.order(
            "scan", {"lesson": asdict(lesson), "spacing_mm": QUICK_MM if quick else FINE_MM}, quick=quick
        )

    def read(self, who: Account, number: str) -> dict[str, Any]:
        """Begin to have the student's scan read.

        Parameters
        ----------
        who : Account
        number : str
            Of the scan.

        Returns
        -------
        dict
            As `state`.

        Raises
        ------
        Refusal
            When the scan is not there any more, or is not done.
        """
        return self._own(who, number).order("read", {}, number=number)

    def state(self, who: Account, number: str) -> dict[str, Any]:
        """Say how far a scan is.

        Parameters
        ----------
        who : Account
        number : str

        Returns
        -------
        dict
            ``id``, ``state`` (``"working"``, ``"done"`` or ``"failed"``), ``doing``, ``step``, ``reason``, ``quick``,
            ``views``, ``truth``, and ``reading`` where it was read.

        Raises
        ------
        Refusal
            When the scan is not there any more.
        """
        return self._own(who, number).state(number)

    def picture(self, who: Account, number: str, name: str, what: str) -> tuple[Mapping[str, Any], bytes]:
        """Give the counts of a view, or where its lesions are.

        Parameters
        ----------
        who : Account
        number, name : str
            Scan and view.
        what : str
            ``"counts"`` or ``"lesions"``.

        Returns
        -------
        facts : mapping
            ``rows``, ``columns``.
        content : bytes

        Raises
        ------
        Refusal
            When there is none.
        """
        return self._own(who, number).picture(number, name, what)

    def stop(self) -> None:
        """End all processes."""
        self._stop.set()
        with self._lock:
            students, self._students = list(self._students.values()), {}
        for one in students:
            one.end()

    def _own(self, who: Account, number: str) -> _Student:
        with self._lock:
            found = self._students.get(who.key)
        if found is None or found.number != number:
            raise Refusal(404, "no_scan", "This simulated scan is not there any more; make it again.")
        return found

    def _student(self, who: Account) -> _Student:
        with self._lock:
            if self._stop.is_set():
                raise Refusal(503, "stopping", "The workstation is stopping.")
            if (found := self._students.get(who.key)) is not None and found.alive:
                return found
            self._students.pop(who.key, None)
            if len(self._students) >= _MOST_PROCESSES:
                self._make_room()
            made = _Student(self._command, self._clock, self._longest_s)
            self._students[who.key] = made
            if self._upkeep is None:
                self._upkeep = threading.Thread(target=self._look_after, name="bonescan-teaching", daemon=True)
                self._upkeep.start()
            return made

    def _make_room(self) -> None:
        """End what a student has not used for a while."""
        key, idle = max(self._students.items(), key=lambda one: one[1].idle_s)
        if idle.alive and idle.idle_s < _TAKEN_FROM_IDLE_S:
            raise Refusal(
                503, "busy", f"{_MOST_PROCESSES} others are simulating now; try again in a moment.", retry_after_s=10
            )
        del self._students[key]
        idle.end()

    def _look_after(self) -> None:
        while not self._stop.wait(_UPKEEP_S):
            with self._lock:
                idle = [key for key, one in self._students.items() if not one.alive or one.idle_s > _IDLE_S]
                ended = [self._students.pop(key) for key in idle]
            for one in ended:
                one.end()


class _Student:
    """One student's process and the scan that was made last."""

    def __init__(self, command: tuple[str, ...], clock: Callable[[], float], longest_s: Mapping[str, float]) -> None:
        self._clock, self._longest_s = clock, longest_s
        self._folder = Path(tempfile.mkdtemp(prefix="bonescan-teaching-"))
        quiet = None if os.environ.get("BONESCAN_DEBUG", "") not in ("", "0") else subprocess.DEVNULL
        self._popen = subprocess.Popen(
            (*command, str(_MEMORY_BYTES)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=quiet,
            text=True,
            encoding="utf-8",
            start_new_session=sys.platform != "win32",
        )
        self.number = ""
        self._told: dict[str, Any] = {}
        self._turn = threading.Lock()
        self._used_s = clock()
        self._timer: threading.Timer | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def idle_s(self) -> float:
        with self._turn:
            return 0.0 if self._told.get("state") == "working" else self._clock() - self._used_s

    def order(self, do: str, wanted: Mapping[str, Any], *, number: str = "", quick: bool = False) -> dict[str, Any]:
        with self._turn:
            if self._told.get("state") == "working":
                raise Refusal(429, "busy", "One simulation at a time: wait for the one that runs.", retry_after_s=1)
            if do == "scan":
                if self.number:
                    shutil.rmtree(self._folder / self.number, ignore_errors=True)
                self.number = secrets.token_hex(8)
                self._told = {"id": self.number, "quick": quick, "views": [], "truth": None, "reading": None}
            elif self._told.get("truth") is None:
                raise Refusal(409, "no_scan", "There is no simulated scan to read; make one first.")
            self._told |= {"state": "working", "doing": do, "step": "", "reason": ""}
            self._used_s = self._clock()
            self._timer = threading.Timer(self._longest_s[do], self._too_long, (do,))
            self._timer.daemon = True
            self._timer.start()
            line = json.dumps({"do": do, "out": str(self._folder / self.number), **wanted})
            with suppress(OSError):  # it is gone, which the end of its words tells
                assert self._popen.stdin is not None
                self._popen.stdin.write(line + "\n")
                self._popen.stdin.flush()
            return dict(self._told)

    def state(self, number: str) -> dict[str, Any]:
        with self._turn:
            if self.number != number:
                raise Refusal(404, "no_scan", "This simulated scan is not there any more; make it again.")
            return dict(self._told)

    def picture(self, number: str, name: str, what: str) -> tuple[Mapping[str, Any], bytes]:
        form = {"counts": VIEW_NAME, "lesions": LESIONS_NAME}[what]
        with self._turn:
            view = next((one for one in self._told.get("views", ()) if one["name"] == name), None)
            if self.number != number or view is None:
                raise Refusal(404, "no_view", "The simulated scan has no such view.")
            try:
                return view, (self._folder / number / form.format(name=name)).read_bytes()
            except OSError as error:
                raise Refusal(404, "no_view", "This simulated scan is not there any more; make it again.") from error

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._popen.kill()
        self._popen.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with suppress(ValueError):
                self._hear(json.loads(line))
        self._hear({"failed": "The simulation ended before it was done; try again."})
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _hear(self, said: Mapping[str, Any]) -> None:
        with self._turn:
            if self._told.get("state") != "working":
                return
            if "step" in said:
                self._told["step"] = str(said["step"])
            else:
                if self._timer is not None:
                    self._timer.cancel()
                self._used_s = self._clock()
                self._finish(said)

    def _finish(self, said: Mapping[str, Any]) -> None:
        if "failed" in said:
            self._told |= {"state": "failed", "reason": str(said["failed"]), "step": ""}
        elif self._told["doing"] == "scan":
            self._told |= {"state": "done", "step": "", **said["done"]}
        else:
            try:
                reading = json.loads((self._folder / self.number / READING_NAME).read_bytes())
                self._told |= {"state": "done", "step": "", "reading": reading}
            except (OSError, ValueError):
                self._told |= {"state": "failed", "reason": "The reading is gone; make the scan again.", "step": ""}

    def _too_long(self, do: str) -> None:
        longest_s = self._longest_s[do]
        self._hear({"failed": f"This took longer than the {longest_s:g} s it may take; try again."})
        self._popen.kill()
