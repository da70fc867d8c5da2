"""How the workstation is: a short answer for watchdogs, and figures for Prometheus; neither names anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select

from bonescan.archive import Archive, JobState
from bonescan.archive.jobs import SEND
from bonescan.archive.tables import job
from bonescan.errors import ArchiveUnavailable, BoneScanError
from bonescan.workstation.sessions import Sessions

__all__ = ["Health", "Metrics", "health_of"]

_GIB = 2**30
_STALLED_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How it is.

    Parameters
    ----------
    database : str
        ``ok`` or ``gone``.
    disk : str
        ``ok``, ``full`` or ``gone``.
    worker : str
        ``idle``, ``reading``, ``stalled`` when readings wait and nothing moves, or ``unknown``.
    """

    database: str
    disk: str
    worker: str

    @property
    def status(self) -> str:
        """``ok``; ``degraded`` when something needs a person; ``down`` when nothing can be shown."""
        if self.database != "ok":
            return "down"
        return "ok" if self.disk == "ok" and self.worker != "stalled" else "degraded"


def health_of(archive: Archive) -> Health:
    """Look how an archive is.

    Parameters
    ----------
    archive : Archive

    Returns
    -------
    Health
    """
    try:
        full = archive.objects.free_bytes() < archive.settings.reserve_gib * _GIB
        disk = "full" if full else "ok"
    except BoneScanError:
        disk = "gone"
    wanted = select(job.c.state, func.count().label("jobs"), func.max(job.c.changed_at).label("moved")).group_by(
        job.c.state
    )
    # a sending may wait for hours, until the other node is back
    open_jobs = job.c.state.in_([str(JobState.WAITING), str(JobState.RUNNING)]) & (job.c.kind != SEND)
    try:
        with archive.database.read() as connection:
            found = {row.state: row for row in connection.execute(wanted.where(open_jobs))}
    except ArchiveUnavailable:
        return Health(database="gone", disk=disk, worker="unknown")
    if not found:
        return Health(database="ok", disk=disk, worker="idle")
    moved = max(row.moved for row in found.values())
    still_s = (datetime.now(UTC) - datetime.fromisoformat(moved)).total_seconds()
    longest = max(_STALLED_S, 2 * archive.settings.lease_s)
    return Health(database="ok", disk=disk, worker="stalled" if still_s > longest else "reading")


class Metrics:
    """Figures of one workstation.

    Parameters
    ----------
    archive : Archive
    sessions : Sessions
    """

    def __init__(self, archive: Archive, sessions: Sessions) -> None:
        self._archive, self._sessions = archive, sessions
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "bonescan_requests", "Requests by route and status.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "bonescan_request_seconds",
            "How long answers took, without long polls.",
            ["route"],
            registry=self._registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
        )
        self._jobs = Gauge("bonescan_jobs", "Jobs asked for, by state.", ["state"], registry=self._registry)
        self._held = Gauge("bonescan_held", "What the archive holds.", ["what"], registry=self._registry)
        self._free = Gauge("bonescan_disk_free_bytes", "Room on the archive's disk.", registry=self._registry)
        self._signed_in = Gauge("bonescan_signed_in", "Sign-ins that live.", registry=self._registry)

    def tell(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request.

        Parameters
        ----------
        method, route : str
            The route's pattern, never a path.
        status : int
        seconds : float
        """
        known = method if method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        if not route.endswith("/changes"):
            self._seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Give all figures in Prometheus' text format.

        Returns
        -------
        bytes
        """
        with self._archive.database.read() as connection:
            counted = select(job.c.state, func.count().label("jobs")).group_by(job.c.state)
            states = {row.state: row.jobs for row in connection.execute(counted)}
        for state in JobState:
            self._jobs.labels(str(state)).set(states.get(str(state), 0))
        for what, count in self._archive.counts().items():
            self._held.labels(what).set(count)
        self._free.set(self._archive.objects.free_bytes())
        self._signed_in.set(self._sessions.count())
        return generate_latest(self._registry)
