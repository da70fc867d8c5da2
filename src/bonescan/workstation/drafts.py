"""Drafts: what a physician is at work on, one for each study, in the index, so that a reload or a crash loses nothing.

::

    begin(version) ─► edit, undo, redo, write ... ─► sign ─► a new, signed version; the draft is gone
                          │ every change: number + 1, one row of the audit trail
                          └ another number than the draft's: 409, somebody else (or another tab) was faster

A draft holds edits since the version that the reader made, also those of an earlier revision it began from, so that
undo reaches them. Edits that were undone stay at the end of the list until another edit takes their place. Only its
author changes a draft; another physician takes it over first, which the audit trail tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from bonescan.archive import Archive, audit
from bonescan.archive.database import utc_now
from bonescan.archive.signing import WORDS_NAME, SignOrder, ask, last_signed, material
from bonescan.archive.tables import draft, result
from bonescan.errors import InvalidValue
from bonescan.workstation.desk import Desk
from bonescan.workstation.draft_rows import (
    Draft,
    as_seen,
    begun,
    changed,
    draft_of,
    own,
    refuse_while_signing,
    without_points,
)
from bonescan.workstation.draft_texts import is_text, refuse_odd_language, refuse_odd_words
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.stamps import stamped

__all__ = ["Drafts"]

_MOST_EDITS = 1000
_MOST_EDIT_BYTES = 2 * 2**20
_LONGEST_REASON = 1000


class Drafts:
    """The drafts of one archive.

    Parameters
    ----------
    archive : Archive
    desk : Desk
        Which makes the edits.
    """

    def __init__(self, archive: Archive, desk: Desk) -> None:
        self._archive, self._database, self._desk = archive, archive.database, desk

    def of(self, study_uid: str) -> Draft | None:
        """The draft of a study.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        Draft or None
        """
        with self._database.read() as connection:
            return draft_of(connection, study_uid)

    def begin(self, study_uid: str, version: int, who: Account, *, take_over: bool) -> Draft:
        """Begin a draft from a version, or go on with one's own.

        Parameters
        ----------
        study_uid : str
        version : int
        who : Account
        take_over : bool
            Whether another physician's draft is taken over.

        Returns
        -------
        Draft

        Raises
        ------
        Refusal
            404 for no such version, 409 ``taken`` for another's draft, 409 ``not_editable`` for a reading that was not
            kept for it.
        """
        started = self._start(study_uid, version)
        self._desk.warm()
        with self._database.write() as connection:
            held = draft_of(connection, study_uid)
            if held is None:
                return begun(connection, study_uid, version, who, started)
            if held.author == who.name:
                return held
            if not take_over:
                raise Refusal(409, "taken", f"{held.author} is at work on this study; take the draft over to go on.")
            refuse_while_signing(connection, held)
            detail = {"from": held.author}
            return changed(connection, held, who, "draft.taken_over", detail, author=who.name)

    def discard(self, study_uid: str, who: Account) -> None:
        """Throw a draft away; the audit trail keeps that there was one.

        Parameters
        ----------
        study_uid : str
        who : Account

        Raises
        ------
        Refusal
            404 when there is none, 409 when it is another's or being signed.
        """
        with self._database.write() as connection:
            held = own(connection, study_uid, who)
            connection.execute(delete(draft).where(draft.c.StudyInstanceUID == study_uid))
            detail = {"number": held.number, "edits": held.applied, "version": held.version}
            audit.append(connection, actor=who.name, action="draft.discarded", subject=study_uid, detail=detail)

    def reading(self, held: Draft, who: Account) -> dict[str, Any]:
        """What reading.json would hold after a draft's edits.

        Parameters
        ----------
        held : Draft
        who : Account
            Who asks: the desk serves people in turn.

        Returns
        -------
        dict

        Raises
        ------
        Refusal
            As `bonescan.workstation.desk.Desk.revised`.
        """
        folder, files = self._material(held.study_uid, held.of_version, looks_whole=True)
        return self._desk.revised(
            folder, [path for path, _ in files], held.held, of_version=held.of_version, who=who.key
        )

    def edit(
        self, study_uid: str, who: Account, number: int, wanted: Mapping[str, Any]
    ) -> tuple[Draft, dict[str, Any]]:
        """Make one more edit, if it can be made.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int
            Of the draft as the physician saw it.
        wanted : mapping
            As `bonescan.reading.edits.edit_of` takes it.

        Returns
        -------
        draft : Draft
        reading : dict
            After it.

        Raises
        ------
        Refusal
            422 ``edit`` where it cannot be made, 409 ``stale`` for another number; nothing changes then.
        """
        from bonescan.reading.edits import edit_of, plain

        held = self._seen(study_uid, who, number)
        try:
            edit = plain(edit_of(wanted))
        except InvalidValue as error:
            raise Refusal(422, "edit", str(error)) from error
        noted = stamped(self._archive, edit, of=(study_uid, held.of_version), earlier=held.edits, by=who.name)
        edits = (*held.held, noted)
        if len(edits) > _MOST_EDITS or len(json.dumps(edits)) > _MOST_EDIT_BYTES:
            raise Refusal(409, "too_many", "The draft holds as many edits as it can; sign or discard it.")
        reading = self.reading(replace(held, edits=edits, applied=len(edits)), who)
        detail = without_points(edit)
        return self._write(held, who, "draft.edited", detail, edits=edits, applied=len(edits)), reading

    def step(self, study_uid: str, who: Account, number: int, *, back: bool) -> tuple[Draft, dict[str, Any]]:
        """Take the last edit back, or make the next one again that was undone.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int
        back : bool

        Returns
        -------
        draft : Draft
        reading : dict

        Raises
        ------
        Refusal
            409 ``nothing`` when there is none, and as for `edit`.
        """
        held = self._seen(study_uid, who, number)
        if not (held.can_undo if back else held.can_redo):
            raise Refusal(409, "nothing", "There is no edit to be undone." if back else "No edit was undone.")
        applied = held.applied + (-1 if back else 1)
        edit = held.edits[min(applied, held.applied)]
        reading = self.reading(replace(held, applied=applied), who)
        action = "draft.undone" if back else "draft.redone"
        return self._write(held, who, action, without_points(edit), applied=applied), reading

    def write(self, study_uid: str, who: Account, number: int, words: Mapping[str, str], language: str) -> Draft:
        """Change the physician's text.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int
        words : mapping of str to str
            By ``section.entry``; an empty one takes an entry out, those left out stay.
        language : str
            Of the report.

        Returns
        -------
        Draft

        Raises
        ------
        Refusal
            422 ``text`` or ``language``, and as for `edit`.
        """
        refuse_odd_words(words)
        refuse_odd_language(language)
        held = self._seen(study_uid, who, number)
        together = {key: text for key, text in {**held.words, **words}.items() if text.strip()}
        if (together, language) == (held.words, held.language):
            return held
        detail = {"entries": sorted(words), "language": language}
        return self._write(held, who, "draft.written", detail, words=together, language=language)

    def refuse_to_sign(self, study_uid: str, who: Account, number: int, reason: str) -> None:
        """Say what stands in the way of a signature, before a password is looked at.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int
        reason : str

        Raises
        ------
        Refusal
            422 ``interpretation``, ``reason`` or ``name``, and as for `edit`.
        """
        with self._database.read() as connection:
            _fit_to_sign(connection, study_uid, who, number, reason)

    def sign(self, study_uid: str, who: Account, number: int, reason: str) -> None:
        """Ask for a draft to be signed; the password was right.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int
        reason : str
            Why an earlier signed version is amended.

        Raises
        ------
        Refusal
            As for `refuse_to_sign`.
        """
        with self._database.write() as connection:
            held = _fit_to_sign(connection, study_uid, who, number, reason)
            order = SignOrder(
                number=held.number,
                of_version=held.of_version,
                edits=held.held,
                words=held.words,
                language=held.language,
                by=who.name,
                signed_at=utc_now(),
                reason=" ".join(reason.split()),
            )
            ask(connection, study_uid, order)

    def _start(self, study_uid: str, version: int) -> dict[str, Any]:
        """What a draft of a version begins with: its edits and its text, where it is a revision."""
        from bonescan.journeys.revising import EDITS_NAME, STATE_NAME

        with self._database.read() as connection:
            readings = select(result).where(result.c.StudyInstanceUID == study_uid)
            versions = {row["version"]: row for row in connection.execute(readings).mappings()}
        row = versions.get(version)
        if row is None:
            raise Refusal(404, "no_reading", "The study has no reading of this version.")
        of_version = row["of_version"] or version
        readers = versions.get(of_version)
        if readers is None or not (self._archive.results.folder / readers["folder"] / STATE_NAME).is_file():
            raise Refusal(
                409, "not_editable", "This reading was made without what editing needs; have the study read again."
            )
        started: dict[str, Any] = {"of_version": of_version, "edits": [], "words": {}, "language": "en"}
        if row["of_version"]:
            folder = self._archive.results.folder / row["folder"]
            started["edits"] = list(_told_by(folder / EDITS_NAME).get("edits", []))
            said = _told_by(folder / WORDS_NAME)
            started |= {name: said[name] for name in ("words", "language") if name in said}
        self._material(study_uid, of_version, looks_whole=False)
        return started

    def _material(self, study_uid: str, of_version: int, *, looks_whole: bool) -> tuple[Path, list[tuple[Path, str]]]:
        """What is edited; its digest is looked at when a draft begins and when it is signed, not at every edit."""
        try:
            return material(self._archive, study_uid, of_version, looks_whole=looks_whole)
        except InvalidValue as error:
            raise Refusal(409, "not_editable", str(error)) from error

    def _seen(self, study_uid: str, who: Account, number: int) -> Draft:
        """The draft, if it is one's own, as one saw it, and not being signed."""
        with self._database.read() as connection:
            held = own(connection, study_uid, who)
        return as_seen(held, number)

    def _write(self, held: Draft, who: Account, action: str, detail: Mapping[str, Any], **values: Any) -> Draft:
        with self._database.write() as connection:
            now = as_seen(own(connection, held.study_uid, who), held.number)
            return changed(connection, now, who, action, detail, **values)


def _fit_to_sign(connection: Connection, study_uid: str, who: Account, number: int, reason: str) -> Draft:
    from bonescan.report.signature import is_a_name

    held = as_seen(own(connection, study_uid, who), number)
    if not held.words.get("interpretation.text", "").strip():
        raise Refusal(422, "interpretation", "A signed report needs your own interpretation; write it first.")
    if last_signed(connection, study_uid) is not None and not reason.strip():
        raise Refusal(422, "reason", "The study has a signed report; say why it is amended.")
    if len(reason) > _LONGEST_REASON or not is_text(reason):
        raise Refusal(422, "reason", f"A reason has {_LONGEST_REASON} characters at most.")
    if not is_a_name(who.name):
        raise Refusal(
            422, "name", "A report is signed in a physician's name; this account's has fewer than two letters."
        )
    return held


def _told_by(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refusal(409, "not_editable", "The files of this version cannot be read; begin from another.") from error
    return found if isinstance(found, dict) else {}
