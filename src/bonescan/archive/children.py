"""Processes of our own that are told and answer in lines of JSON."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Child"]

_PATIENCE_S = 2.0


@dataclass(slots=True)
class Child:
    """A process and what it has said.

    Parameters
    ----------
    popen : subprocess.Popen
    said : queue.SimpleQueue
        The lines it wrote, understood; others are left out.
    """

    popen: subprocess.Popen[str]
    said: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)
    listener: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    @classmethod
    def started(cls, command: Sequence[str]) -> Child:
        """Start one.

        Parameters
        ----------
        command : sequence of str

        Returns
        -------
        Child
        """
        quiet = None if os.environ.get("BONESCAN_DEBUG", "") not in ("", "0") else subprocess.DEVNULL
        popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=quiet,
            text=True,
            encoding="utf-8",
            start_new_session=sys.platform != "win32",  # an interrupt at the keyboard is ours to answer
        )
        return cls(popen)

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.popen.poll() is not None

    def _listen(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            with suppress(ValueError):
                self.said.put(json.loads(line))

    def order(self, wanted: Mapping[str, Any]) -> None:
        """Tell it something.

        Parameters
        ----------
        wanted : mapping of str to object
            Ready for JSON.
        """
        assert self.popen.stdin is not None
        with suppress(OSError):  # it is gone already, which its exit status tells
            self.popen.stdin.write(json.dumps(wanted) + "\n")
            self.popen.stdin.flush()

    def end(self) -> None:
        """Kill it."""
        self.popen.kill()
        self.popen.wait()
        self.listener.join(_PATIENCE_S)
        for pipe in (self.popen.stdin, self.popen.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
