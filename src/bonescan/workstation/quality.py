"""Quality over time: what every camera counted, of how much activity, how late, and whether it drifts.

The figures of a reading are taken once, when it is published, into the table ``measured``; names are not among them.
The sensitivity of a study is what its camera counted of each megabecquerel that was left in the patient, as if the pass
had gone at `SPEED_CM_PER_MIN` ::

    s = sqrt(C_anterior C_posterior) v / v_0 / (A_0 2^(-t / T))        T = half-life of Tc-99m

with the counts C of both views, the speed v of the pass, the activity A_0 injected and the time t from there to the
middle of the pass. A patient is no phantom: build, kidneys and bladder spread it, but over many patients its median is
a camera's. What was voided is not taken off; the geometric mean makes it depend little on how deep the tracer lies.

Limits of a camera are its median and 2 ("look") and 3 ("act") robust standard deviations about it, 1.4826 times the
median absolute deviation, so that the outliers that are looked for do not widen them. A month is marked where the
median of its n studies, alone or together with those of the month before, lies 3 of its own standard errors from the
median of all: sqrt(pi / 2) robust standard deviations over sqrt(n), the standard error of a median of normal values
[C].

References
----------
Rocke DM. Robust control charts. Technometrics 1989;31:173-184, doi:10.1080/00401706.1989.10488511 [M].
Rousseeuw PJ, Croux C. Alternatives to the median absolute deviation. J Am Stat Assoc 1993;88:1273-1283,
doi:10.1080/01621459.1993.10476408: 1.4826 [M].
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, func, select

from bonescan.archive import Archive
from bonescan.archive.tables import result, series
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical
from bonescan.workstation.studies import READING_FILE
from bonescan.workstation.tables import catch_up, measured

__all__ = [
    "FEWEST_FOR_LIMITS",
    "MEASURES",
    "SPEED_CM_PER_MIN",
    "CheckSeries",
    "Limits",
    "Measure",
    "MeasureSeries",
    "Month",
    "Outlier",
    "Overview",
    "QualityOverTime",
    "limits_of",
    "measured_of",
]

SPEED_CM_PER_MIN = 10.0
"""The speed that sensitivities are told for: within the usual 10 to 15 cm/min."""

FEWEST_FOR_LIMITS = 8
"""Fewer values give no limits [D]."""

_FEWEST_A_MONTH = 5
_ROBUST = 1.4826
_TECHNETIUM = "99m"  # in every spelling of files: Tc-99m, ^99m^Technetium
_OF_A_MEDIAN = math.sqrt(math.pi / 2)
_DRIFTS = 3.0
_MOST_POINTS, _MOST_OUTLIERS = 2000, 50
_DAYS_A_MONTH = 30.4375
_DAY = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of a study.

    Parameters
    ----------
    code : str
        Column of the table ``measured``.
    name, unit : str
    """

    code: str
    name: str
    unit: str


MEASURES = (
    Measure(code="sensitivity", name=f"Sensitivity, at {SPEED_CM_PER_MIN:g} cm/min", unit="counts/MBq"),
    Measure(code="counts_anterior", name="Counts, anterior view", unit="counts"),
    Measure(code="counts_posterior", name="Counts, posterior view", unit="counts"),
    Measure(code="delay_h", name="From injection to scan", unit="h"),
    Measure(code="activity_mbq", name="Injected activity", unit="MBq"),
    Measure(code="speed_cm_per_min", name="Scan speed", unit="cm/min"),
)
"""What is followed, the most telling first."""

_VALUES = tuple(measure.code for measure in MEASURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is usual.

    Parameters
    ----------
    median, robust_sd : float
    look_below, look_above, act_below, act_above : float
        Two and three robust standard deviations about the median; none is below 0.
    """

    median: float
    robust_sd: float
    look_below: float
    look_above: float
    act_below: float
    act_above: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month of one measure.

    Parameters
    ----------
    month : str
        ``"2026-07"``.
    studies : int
        That tell it.
    median : float
    drifts : bool
        Whether it lies farther from the median of all than chance explains.
    """

    month: str
    studies: int
    median: float
    drifts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A study beyond the limits to act at.

    Parameters
    ----------
    study_uid, day, camera : str
    value : float
    deviations : float
        Robust standard deviations from the median, with sign.
    """

    study_uid: str
    day: str
    camera: str
    value: float
    deviations: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSeries:
    """One measure over time.

    Parameters
    ----------
    measure : Measure
    studies, untold : int
        That tell it, and that do not.
    limits : Limits or None
        ``None`` where too few tell it, or all tell the same.
    months : tuple of Month
    points : tuple of (day, value)
        The newest, oldest first.
    looked_at : int
        Studies beyond the inner limits.
    outliers : tuple of Outlier
        The newest first.
    """

    measure: Measure
    studies: int
    untold: int
    limits: Limits | None
    months: tuple[Month, ...]
    points: tuple[tuple[str, float], ...]
    looked_at: int
    outliers: tuple[Outlier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSeries:
    """One check of the reading over time.

    Parameters
    ----------
    code : str
    warned : int
        Studies in which it warned or withheld a figure.
    months : mapping of str to int
    """

    code: str
    warned: int
    months: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Quality over a time, of one camera or of all.

    Parameters
    ----------
    first, last : str
        Days; empty where there is no study.
    cameras : mapping of str to int
        Studies of each in this time, whichever is looked at.
    studies, undated : int
    months : mapping of str to int
        Studies by month.
    measures : tuple of MeasureSeries
    checks : tuple of CheckSeries
        Those that warned, most often first.
    """

    first: str
    last: str
    cameras: Mapping[str, int]
    studies: int
    undated: int
    months: Mapping[str, int]
    measures: tuple[MeasureSeries, ...]
    checks: tuple[CheckSeries, ...]


class QualityOverTime:
    """The figures of all readings of an archive.

    Parameters
    ----------
    archive : Archive
    """

    def __init__(self, archive: Archive) -> None:
        self._archive, self._database = archive, archive.database

    def catch_up(self) -> int:
        """Take the figures of readings that are not known yet.

        Returns
        -------
        int
            Readings looked at.
        """
        return catch_up(self._database, measured, self._figures)

    def _figures(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        stations = self._stations([row.StudyInstanceUID for row in rows])
        folder = self._archive.results.folder
        return [measured_of(folder / row.folder, stations.get(row.StudyInstanceUID, "")) for row in rows]

    def overview(self, *, camera: str = "", months: int = 12, today: date | None = None) -> Overview:
        """Show the quality of the last months.

        Parameters
        ----------
        camera : str
            As `Overview.cameras` calls it; empty for all.
        months : int
            Counted back from the newest study, so that an archive of older studies shows them.
        today : date, optional
            Studies dated later are left out.

        Returns
        -------
        Overview
        """
        latest = (today or date.today()).isoformat()
        here = measured.join(
            result, and_(*(result.c[name] == measured.c[name] for name in ("StudyInstanceUID", "version", "folder")))
        )
        dated = and_(measured.c.day != "", measured.c.day <= latest)
        with self._database.read() as connection:
            last: str | None = connection.execute(
                select(func.max(measured.c.day)).select_from(here).where(dated)
            ).scalar_one()
            undated = connection.execute(
                select(func.count()).select_from(here).where(measured.c.day == "")
            ).scalar_one()
            if last is None:
                return Overview(
                    first="", last="", cameras={}, studies=0, undated=undated, months={}, measures=(), checks=()
                )
            first = (date.fromisoformat(last) - timedelta(days=round(months * _DAYS_A_MONTH))).isoformat()
            columns = [measured.c[name] for name in ("StudyInstanceUID", "day", "camera", *_VALUES, "checks")]
            rows = connection.execute(
                select(*columns)
                .select_from(here)
                .where(dated, measured.c.day >= first)
                .order_by(measured.c.day, measured.c.StudyInstanceUID)
            ).all()
        first = rows[0].day  # an archive that is younger than the time asked for
        cameras = Counter(row.camera for row in rows)
        seen = [row for row in rows if not camera or row.camera == camera]
        return Overview(
            first=first,
            last=last,
            cameras=dict(sorted(cameras.items(), key=lambda one: (-one[1], one[0]))),
            studies=len(seen),
            undated=undated,
            months=dict(Counter(row.day[:7] for row in seen)),
            measures=tuple(_series(measure, seen) for measure in MEASURES),
            checks=_checks(seen),
        )

    def _stations(self, uids: Sequence[str]) -> dict[str, str]:
        """What the cameras call themselves: two of one model are told apart by it."""
        own = select(series.c.StudyInstanceUID, func.max(series.c.StationName).label("station"))
        own = own.where(series.c.StudyInstanceUID.in_(uids), series.c.Modality == "NM")
        with self._database.read() as connection:
            rows = connection.execute(own.group_by(series.c.StudyInstanceUID)).all()
        return {row.StudyInstanceUID: row.station or "" for row in rows}


def measured_of(folder: Path, station: str = "") -> dict[str, Any]:
    """Take the figures of one reading.

    Parameters
    ----------
    folder : Path
        Of the reading.
    station : str
        What the camera calls itself.

    Returns
    -------
    dict
        By column of the table ``measured``; ``None`` for what the reading does not tell.
    """
    nothing: dict[str, Any] = {"day": "", "camera": station, "checks": "{}", **dict.fromkeys(_VALUES)}
    try:
        reading = json.loads((folder / READING_FILE).read_bytes())
        scan = reading["scan"]
        day = str(scan["acquired_at"] or "")[:10]
        device = scan.get("device") or {}
        model = " ".join(str(device[name]) for name in ("manufacturer", "model") if device.get(name))
        views = {name: scan["views"].get(name) or {} for name in ("anterior", "posterior")}
        injection = scan.get("injection") or {}
        counts = {f"counts_{name}": _positive(view.get("total_counts")) for name, view in views.items()}
        speeds = [speed for view in views.values() if (speed := _positive(view.get("scan_velocity_mm_per_s")))]
        found = {
            **counts,
            "delay_h": _positive(scan.get("delay_h")),
            "activity_mbq": _positive(injection.get("activity_mbq")),
            "speed_cm_per_min": 6 * speeds[0] if speeds else None,
        }
        durations = [seconds for view in views.values() if (seconds := _positive(view.get("duration_s")))]
        nuclide = str(injection.get("radionuclide") or _TECHNETIUM)
        found["sensitivity"] = _sensitivity(found, durations) if _TECHNETIUM in nuclide else None
        failed = {
            str(check["code"]): str(check["verdict"])
            for check in reading["quality"]["checks"]
            if check["verdict"] in ("warn", "withhold")
        }
        camera = f"{station} ({model})" if station and model else station or model
        return {
            "day": day if _DAY.fullmatch(day) and _is_day(day) else "",
            "camera": camera[:120].replace("\0", ""),
            "checks": json.dumps(failed),
            **found,
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return nothing  # a study without a whole-body pass, or files that cannot be understood


def limits_of(values: NDArray[np.float64]) -> Limits | None:
    """Say what is usual.

    Parameters
    ----------
    values : (study,) ndarray

    Returns
    -------
    Limits or None
        ``None`` for fewer values than `FEWEST_FOR_LIMITS`, or where most are the same.
    """
    if len(values) < FEWEST_FOR_LIMITS:
        return None
    median = float(np.median(values))
    robust_sd = _ROBUST * float(np.median(np.abs(values - median)))
    if robust_sd <= 0:
        return None
    return Limits(
        median=median,
        robust_sd=robust_sd,
        look_below=max(0.0, median - 2 * robust_sd),
        look_above=median + 2 * robust_sd,
        act_below=max(0.0, median - 3 * robust_sd),
        act_above=median + 3 * robust_sd,
    )


def _sensitivity(found: Mapping[str, float | None], durations_s: Sequence[float]) -> float | None:
    front, back = found["counts_anterior"], found["counts_posterior"]
    delay_h, activity, speed = (found[name] for name in ("delay_h", "activity_mbq", "speed_cm_per_min"))
    if front is None or back is None or delay_h is None or activity is None or speed is None:
        return None
    middle_h = delay_h + (durations_s[0] / 7200 if durations_s else 0.0)
    left = activity * 2.0 ** (-middle_h / radiopharmaceutical("Tc-99m MDP").nuclide.half_life_h)
    return math.sqrt(front * back) * speed / SPEED_CM_PER_MIN / left if left > 0 else None


def _series(measure: Measure, rows: Sequence[Any]) -> MeasureSeries:
    told = [row for row in rows if getattr(row, measure.code) is not None]
    values = np.array([getattr(row, measure.code) for row in told], dtype=np.float64)
    limits = limits_of(values)
    by_month: dict[str, list[float]] = {}
    for row, value in zip(told, values, strict=True):
        by_month.setdefault(row.day[:7], []).append(float(value))
    outliers: list[Outlier] = []
    looked_at = 0
    if limits is not None:
        away = (values - limits.median) / limits.robust_sd
        looked_at = int((np.abs(away) > 2).sum())
        outliers = [
            Outlier(
                study_uid=told[k].StudyInstanceUID,
                day=told[k].day,
                camera=told[k].camera,
                value=float(values[k]),
                deviations=round(float(away[k]), 1),
            )
            for k in np.flatnonzero(np.abs(away) > 3)[::-1][:_MOST_OUTLIERS]
        ]
    return MeasureSeries(
        measure=measure,
        studies=len(told),
        untold=len(rows) - len(told),
        limits=limits,
        months=_months(sorted(by_month.items()), limits),
        points=tuple((row.day, float(getattr(row, measure.code))) for row in told[-_MOST_POINTS:]),
        looked_at=looked_at,
        outliers=tuple(outliers),
    )


def _months(by_month: Sequence[tuple[str, list[float]]], limits: Limits | None) -> tuple[Month, ...]:
    made, before = [], list[float]()
    for month, values in by_month:
        drifts = _drifts(values, limits) or _drifts([*before, *values], limits)
        made.append(Month(month=month, studies=len(values), median=float(np.median(values)), drifts=drifts))
        before = values
    return tuple(made)


def _drifts(values: Sequence[float], limits: Limits | None) -> bool:
    if limits is None or len(values) < _FEWEST_A_MONTH:
        return False
    error = _OF_A_MEDIAN * limits.robust_sd / math.sqrt(len(values))
    return abs(float(np.median(values)) - limits.median) > _DRIFTS * error


def _checks(rows: Sequence[Any]) -> tuple[CheckSeries, ...]:
    by_code: dict[str, Counter[str]] = {}
    for row in rows:
        if row.checks != "{}":
            for code in json.loads(row.checks):
                by_code.setdefault(code, Counter())[row.day[:7]] += 1
    found = [
        CheckSeries(code=code, warned=sum(months.values()), months=dict(sorted(months.items())))
        for code, months in by_code.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.warned, one.code)))


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < math.inf else None


def _is_day(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True
