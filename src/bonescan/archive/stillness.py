"""How long something has been as it is, by a clock that never jumps.

Wall clocks are set by people, daylight saving and the network. Whether a study is complete, a worker dead or a pause
over must not depend on them. So the index holds no deadlines but values that change with every sign of life (a count of
objects, a heartbeat), and every process measures with its own monotonic clock how long it has seen a value unchanged.
After a restart the measurement begins anew: waiting is then at most doubled, never cut short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable

__all__ = ["Stillness"]


class Stillness:
    """Remembers since when each thing has had its present value.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[Hashable, tuple[Hashable, float]] = {}

    def unchanged_s(self, thing: Hashable, value: Hashable) -> float:
        """Say for how long a thing has been seen with this value; 0 when it is new.

        Parameters
        ----------
        thing : hashable
        value : hashable

        Returns
        -------
        float
        """
        now = self._clock()
        known = self._seen.get(thing)
        if known is None or known[0] != value:
            self._seen[thing] = value, now
            return 0.0
        return now - known[1]

    def forget_others(self, things: Collection[Hashable]) -> None:
        """Keep only these.

        Parameters
        ----------
        things : collection of hashable
        """
        self._seen = {thing: seen for thing, seen in self._seen.items() if thing in things}
