"""Work shared out to processes: one for each core, each with one thread, ended with whoever began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from typing import TypeVar

__all__ = ["cores", "each"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def each(
    work: Callable[[Item], Answer], items: Sequence[Item], processes: int | None
) -> Generator[tuple[Item, Callable[[], Answer]], None, None]:
    """Do the same work on many things, in processes of their own.

    Parameters
    ----------
    work : callable
        A function of a module, as other processes must find it.
    items : sequence
        What it is done on; goes to another process.
    processes : int or None
        All cores by default.

    Yields
    ------
    (item, answer)
        As they are finished; calling ``answer`` gives what the work returned, or raises what stopped it. Closing
        the generator in between ends the processes.
    """
    if not items:
        return
    # A fresh interpreter each: a fork would take locks and threads of compiled code with it.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(processes or cores(), len(items)), mp_context=context, initializer=_alone)
    try:
        futures = {pool.submit(work, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
            process.join()
        raise


def cores() -> int:
    """Count the cores this process may use.

    Returns
    -------
    int
    """
    with suppress(AttributeError):  # not everywhere can a process be told to keep to some cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _alone() -> None:
    """Make a process ready: one thread, as every core has a process of its own; the parent says when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = "1"
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()


def _leave_with_the_parent() -> None:
    """End with a parent that was killed: nobody would, and two runs would work at one study when it is run again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
