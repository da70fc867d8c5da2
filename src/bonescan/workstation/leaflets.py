"""The patient's leaflet of a signed reading: of which version it may be made, and those made a moment ago.

What the program found is never told to a patient: a leaflet needs a version that a physician has signed, and says what
the physician who makes it chooses, in that physician's name. It is set once, looked at, and given out as it was seen;
it is kept in memory alone, for its maker, for a quarter of an hour.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bonescan.journeys.reports import reading_json
from bonescan.report.leaflet_after import SignedResult, after_files
from bonescan.report.record import opened_record, taken_for_a_record
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.studies import Studies, Version

__all__ = ["Leaflets", "MadeLeaflet", "Tellable"]

_KEPT_S = 900.0
_MOST_KEPT = 20
_SET_AT_ONCE = 2
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tellable:
    """What a physician may tell the patient of.

    Parameters
    ----------
    version : int
        The newest that is signed.
    findings : tuple of mapping
        Letter and place of its bone findings.
    """

    version: int
    findings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLeaflet:
    """One leaflet, as it was seen.

    Parameters
    ----------
    id : str
    study_uid : str
    version : int
    language : str
    signed_on : date
    files : mapping of str to bytes
    made_s : float
        Monotonic.
    maker : str
        Whose it is.
    """

    id: str
    study_uid: str
    version: int
    language: str
    signed_on: date
    files: Mapping[str, bytes]
    made_s: float
    maker: str

    @property
    def sha256(self) -> str:
        """Digest of the PDF, by which a sheet can be told to be this one."""
        return hashlib.sha256(self.files["leaflet.pdf"]).hexdigest()


class Leaflets:
    """The leaflets of an archive's signed readings.

    Parameters
    ----------
    studies : Studies
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, studies: Studies, clock: Callable[[], float] = time.monotonic) -> None:
        self._studies, self._clock = studies, clock
        self._made: OrderedDict[str, MadeLeaflet] = OrderedDict()
        self._lock, self._setting = threading.Lock(), threading.BoundedSemaphore(_SET_AT_ONCE)

    def tellable(self, study_uid: str) -> Tellable:
        """Say what may be told of a study.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        Tellable

        Raises
        ------
        Refusal
            When nobody has signed a reading of it.
        """
        signed = self._signed(study_uid)
        with taken_for_a_record():
            record = opened_record(reading_json(self._folder(study_uid, signed)))
            findings = tuple(
                MappingProxyType({"letter": str(one["letter"]), "place": str(one["place"])})
                for one in record["findings"]
                if one["kind"] == "bone"
            )
        return Tellable(version=signed.version, findings=findings)

    def make(
        self, study_uid: str, version: int, who: Account, signed: Callable[[], SignedResult], language: str
    ) -> MadeLeaflet:
        """Set a leaflet.

        Parameters
        ----------
        study_uid : str
        version : int
            Of the reading the physician looked at.
        who : Account
            The physician.
        signed : callable
            Gives what is told, in the physician's name.
        language : str

        Returns
        -------
        MadeLeaflet

        Raises
        ------
        Refusal
            When that version is not the newest that is signed.
        InvalidValue
            For a result that cannot be told so.
        """
        newest = self._signed(study_uid)
        if newest.version != version:
            raise Refusal(
                409,
                "not_signed",
                f"Version {version} is not the reading that was signed last, which is version {newest.version}; load "
                "the page again.",
            )
        told = signed()
        if not self._setting.acquire(timeout=_PATIENCE_S):
            raise Refusal(503, "busy", "Many leaflets are being set; try again.", retry_after_s=2)
        try:
            files = after_files(reading_json(self._folder(study_uid, newest)), told, language)
        finally:
            self._setting.release()
        made = MadeLeaflet(
            id=secrets.token_urlsafe(16),
            study_uid=study_uid,
            version=version,
            language=language,
            signed_on=told.signed_on,
            files=MappingProxyType(files),
            made_s=self._clock(),
            maker=who.key,
        )
        with self._lock:
            self._forget()
            self._made[made.id] = made
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        return made

    def made(self, study_uid: str, number: str, who: Account) -> MadeLeaflet:
        """Find a leaflet that was made a moment ago.

        Parameters
        ----------
        study_uid, number : str
        who : Account
            Its maker.

        Returns
        -------
        MadeLeaflet

        Raises
        ------
        Refusal
            When it is not there any more, or somebody else's.
        """
        with self._lock:
            self._forget()
            found = self._made.get(number)
        if found is None or found.maker != who.key or found.study_uid != study_uid:
            raise Refusal(404, "no_leaflet", "This leaflet is not there any more; make it again.")
        return found

    def _forget(self) -> None:
        old = [key for key, one in self._made.items() if self._clock() - one.made_s > _KEPT_S]
        for key in old:
            del self._made[key]

    def _signed(self, study_uid: str) -> Version:
        _, versions = self._studies.one(study_uid)
        signed = next((one for one in versions if one.signed), None)
        if signed is None:
            raise Refusal(
                409,
                "not_signed",
                "No physician has signed a reading of this study yet; a patient is told only what a physician has "
                "signed.",
            )
        return signed

    def _folder(self, study_uid: str, version: Version) -> Path:
        return self._studies.folder(study_uid, version.version)
