"""The keeper of the desk process: starts it with the first draft and ends it when nobody edits."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from bonescan.archive.children import Child
from bonescan.workstation.refusal import Refusal

__all__ = ["Desk"]

_COMMAND = (sys.executable, "-P", "-m", "bonescan.workstation.desk_process")
_IDLE_S = 600.0
_ANSWER_S = 60.0  # [D] the first answer comes after imports and compiled code were loaded
_TURN_S = 30.0
_MOST_OF_ONE = 3  # [D] requests of one person, that which is served among them
_MIB = 2**20


class _Turns:
    """Whose turn it is: of all who wait, theirs who were served longest ago, so that nobody's many keep others off."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, str]] = []
        self._served: dict[str, int] = {}
        self._serving = ""
        self._numbers = count(1)

    @contextmanager
    def of(self, who: str, patience_s: float) -> Iterator[None]:
        """Wait for one's turn, and have it."""
        ticket = next(self._numbers), who
        with self._changed:
            if sum(one == who for one in (self._serving, *(name for _, name in self._waiting))) >= _MOST_OF_ONE:
                raise Refusal(503, "desk", "Earlier edits of yours are still under way; try again.", retry_after_s=5)
            self._waiting.append(ticket)
            came = self._changed.wait_for(lambda: not self._serving and self._next() == ticket, patience_s)
            self._waiting.remove(ticket)
            if not came:
                self._changed.notify_all()
                raise Refusal(503, "desk", "Others edit at this moment; try again.", retry_after_s=5)
            self._serving, self._served[who] = who, next(self._numbers)
        try:
            yield
        finally:
            with self._changed:
                self._serving = ""
                self._changed.notify_all()

    def _next(self) -> tuple[int, str]:
        return min(self._waiting, key=lambda one: (self._served.get(one[1], 0), one[0]))


class Desk:
    """Where readings are edited.

    Parameters
    ----------
    memory_bytes : int
        Most address space the process may take; 0 for no limit.
    command : sequence of str
        What starts it.
    idle_s : float
        It is ended when nobody asked for so long.
    answer_s : float
        How long one answer may take.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        memory_bytes: int = 0,
        *,
        command: Sequence[str] = _COMMAND,
        idle_s: float = _IDLE_S,
        answer_s: float = _ANSWER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory_bytes, self._command = memory_bytes, tuple(command)
        self._idle_s, self._answer_s, self._clock = idle_s, answer_s, clock
        self._child: Child | None = None
        self._numbers = count(1)
        self._turns, self._turn = _Turns(), threading.Lock()
        self._used_s = clock()
        self._watch: threading.Timer | None = None
        self._closed = False

    def revised(
        self, reading: Path, inputs: Sequence[Path], edits: Sequence[Mapping[str, Any]], *, of_version: int, who: str
    ) -> dict[str, Any]:
        """What reading.json would hold after edits.

        Parameters
        ----------
        reading : Path
            Folder of the reader's version.
        inputs : sequence of Path
            The objects it was made of.
        edits : sequence of mapping
        of_version : int
        who : str
            Who asks; people are served in turn, and a few requests of one wait at most.

        Returns
        -------
        dict

        Raises
        ------
        Refusal
            422 ``edit`` for edits that cannot be made, 409 ``not_editable`` for a reading that was not kept for it, 503
            when there is no answer.
        """
        wanted = {
            "reading": str(reading),
            "inputs": [str(path) for path in inputs],
            "edits": list(edits),
            "of_version": of_version,
        }
        with self._turns.of(who, _TURN_S), self._turn:
            try:
                said = self._asked(wanted) or self._asked(wanted)  # a process that died is replaced, once
            finally:
                self._used_s = self._clock()
        if said is None:
            raise Refusal(503, "desk", "Editing does not answer; nothing was changed, try again.", retry_after_s=5)
        if "reading" in said:
            found: dict[str, Any] = said["reading"]
            return found
        refusals = {"edit": (422, "edit"), "state": (409, "not_editable"), "memory": (503, "desk")}
        status, code = refusals.get(str(said.get("cause")), (503, "desk"))
        raise Refusal(status, code, str(said.get("refused")))

    def warm(self) -> None:
        """Start the process, so that the first edit does not wait for it."""
        if self._turn.acquire(blocking=False):
            try:
                self._started()
            finally:
                self._turn.release()

    def close(self) -> None:
        """End the process for good; an answer that is waited for does not come."""
        self._closed = True
        child = self._child
        if child is not None:
            child.popen.kill()
        with self._turn:
            self._end()

    def _asked(self, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask once; ``None`` when the process died. One that falls silent is ended and not asked again."""
        child = self._started()
        number = next(self._numbers)
        child.order({"id": number, **wanted})
        until = time.monotonic() + self._answer_s
        while (left := until - time.monotonic()) > 0:
            try:
                said = child.said.get(timeout=min(left, 0.5))
            except queue.Empty:
                if child.ended and child.said.empty():
                    self._end()
                    return None
                continue
            if said.get("id") == number:
                return said
        self._end()
        raise Refusal(503, "desk", "The edit took too long and was broken off; nothing was changed.", retry_after_s=5)

    def _started(self) -> Child:
        if self._closed:
            raise Refusal(503, "desk", "The workstation stops; nothing was changed.", retry_after_s=5)
        if self._child is not None and self._child.ended:
            self._end()
        if self._child is None:
            try:
                self._child = Child.started(self._command)
            except OSError as error:  # no process or no memory to be had
                raise Refusal(
                    503, "desk", "Editing cannot start now; nothing was changed, try again.", retry_after_s=5
                ) from error
            self._child.order({"memory_bytes": self._memory_bytes})
            self._used_s = self._clock()
            self._look_later()
        return self._child

    def _look_later(self) -> None:
        self._watch = threading.Timer(self._idle_s, self._end_when_idle)
        self._watch.daemon = True
        self._watch.start()

    def _end_when_idle(self) -> None:
        with self._turn:
            if self._child is None:
                return
            if self._clock() - self._used_s >= self._idle_s:
                self._end()
            else:
                self._look_later()

    def _end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._child is not None:
            self._child.end()
            self._child = None
