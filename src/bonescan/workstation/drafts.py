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

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bonescan.archive import Archive, audit
from bonescan.archive.database import utc_now
from bonescan.archive.signing import WORDS_NAME, SignOrder, ask, is_being_signed, last_signed, material
from bonescan.archive.tables import audit as trail
from bonescan.archive.tables import draft, result
from bonescan.errors import InvalidValue
from bonescan.workstation.desk import Desk
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.stamps import stamped

__all__ = ["Draft", "Drafts"]

_MOST_EDITS = 1000
_MOST_EDIT_BYTES = 4 * 2**20
_LONGEST_TEXT = 10_000
_LONGEST_REASON = 1000
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as it is at one moment.

    Parameters
    ----------
    study_uid : str
    version : int
        From which it was begun.
    of_version : int
        The reader's version to which the edits apply.
    number : int
        Grows with every change.
    author : str
    begun_at, changed_at : str
        UTC.
    edits : tuple of mapping
        Those that were undone among them.
    applied : int
        How many of them hold.
    words : mapping of str to str
        By ``section.entry``.
    language : str
    job_id : int
        That signs it; 0 while none was asked for.
    """

    study_uid: str
    version: int
    of_version: int
    number: int
    author: str
    begun_at: str
    changed_at: str
    edits: tuple[Mapping[str, Any], ...]
    applied: int
    words: Mapping[str, str]
    language: str
    job_id: int

    @property
    def held(self) -> tuple[Mapping[str, Any], ...]:
        """The edits that hold."""
        return self.edits[: self.applied]

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to be undone."""
        return self.applied > 0

    @property
    def can_redo(self) -> bool:
        """Whether an edit was undone."""
        return self.applied < len(self.edits)


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
            return _held(connection, study_uid)

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
            held = _held(connection, study_uid)
            if held is None:
                return self._new(connection, study_uid, version, who, started)
            if held.author == who.name:
                return held
            if not take_over:
                raise Refusal(409, "taken", f"{held.author} is at work on this study; take the draft over to go on.")
            _refuse_while_signing(connection, held)
            detail = {"from": held.author}
            return _changed(connection, held, who, "draft.taken_over", detail, author=who.name)

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
            held = _own(connection, study_uid, who)
            connection.execute(delete(draft).where(draft.c.StudyInstanceUID == study_uid))
            detail = {"number": held.number, "edits": held.applied, "version": held.version}
            audit.append(connection, actor=who.name, action="draft.discarded", subject=study_uid, detail=detail)

    def reading(self, held: Draft) -> dict[str, Any]:
        """What reading.json would hold after a draft's edits.

        Parameters
        ----------
        held : Draft

        Returns
        -------
        dict

        Raises
        ------
        Refusal
            As `bonescan.workstation.desk.Desk.revised`.
        """
        folder, files = self._material(held.study_uid, held.of_version, looks_whole=True)
        return self._desk.revised(folder, [path for path, _ in files], held.held, of_version=held.of_version)

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
        reading = self.reading(replace(held, edits=edits, applied=len(edits)))
        detail = _told(edit)
        return self._write(held, who, "draft.edited", detail, edits=edits, applied=len(edits)), reading

    def undo(self, study_uid: str, who: Account, number: int) -> tuple[Draft, dict[str, Any]]:
        """Take the last edit back.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int

        Returns
        -------
        draft : Draft
        reading : dict

        Raises
        ------
        Refusal
            409 when there is none, and as for `edit`.
        """
        held = self._seen(study_uid, who, number)
        if not held.can_undo:
            raise Refusal(409, "nothing", "There is no edit to be undone.")
        return self._step(held, who, "draft.undone", held.applied - 1, held.edits[held.applied - 1])

    def redo(self, study_uid: str, who: Account, number: int) -> tuple[Draft, dict[str, Any]]:
        """Make an edit again that was undone.

        Parameters
        ----------
        study_uid : str
        who : Account
        number : int

        Returns
        -------
        draft : Draft
        reading : dict

        Raises
        ------
        Refusal
            409 when there is none, and as for `edit`.
        """
        held = self._seen(study_uid, who, number)
        if not held.can_redo:
            raise Refusal(409, "nothing", "No edit was undone.")
        return self._step(held, who, "draft.redone", held.applied + 1, held.edits[held.applied])

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
        _refuse_odd_words(words)
        _refuse_odd_language(language)
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
            own = select(result).where(result.c.StudyInstanceUID == study_uid)
            versions = {row["version"]: row for row in connection.execute(own).mappings()}
        row = versions.get(version)
        if row is None:
            raise Refusal(404, "no_reading", "The study has no reading of this version.")
        of_version = row["of_version"] or version
        readers = versions.get(of_version)
        if readers is None or not (self._archive.results.folder / readers["folder"] / STATE_NAME).is_file():
            raise Refusal(
                409, "not_editable", "This reading was made without what editing needs; have the study read again."
            )
        begun: dict[str, Any] = {"of_version": of_version, "edits": [], "words": {}, "language": "en"}
        if row["of_version"]:
            folder = self._archive.results.folder / row["folder"]
            begun["edits"] = list(_told_by(folder / EDITS_NAME).get("edits", []))
            said = _told_by(folder / WORDS_NAME)
            begun |= {name: said[name] for name in ("words", "language") if name in said}
        self._material(study_uid, of_version, looks_whole=False)
        return begun

    def _material(self, study_uid: str, of_version: int, *, looks_whole: bool) -> tuple[Path, list[tuple[Path, str]]]:
        """What is edited; its digest is looked at when a draft begins and when it is signed, not at every edit."""
        try:
            return material(self._archive, study_uid, of_version, looks_whole=looks_whole)
        except InvalidValue as error:
            raise Refusal(409, "not_editable", str(error)) from error

    def _new(
        self, connection: Connection, study_uid: str, version: int, who: Account, started: Mapping[str, Any]
    ) -> Draft:
        now = utc_now()
        row = {
            "StudyInstanceUID": study_uid,
            "version": version,
            "of_version": started["of_version"],
            "number": _after_the_last(connection),
            "author": who.name,
            "begun_at": now,
            "changed_at": now,
            "edits": json.dumps(started["edits"]),
            "applied": len(started["edits"]),
            "words": json.dumps(started["words"]),
            "language": started["language"],
            "job_id": 0,
        }
        connection.execute(insert(draft).values(row))
        detail = {"version": version, "of_version": started["of_version"], "number": row["number"]}
        audit.append(connection, actor=who.name, action="draft.begun", subject=study_uid, detail=detail)
        return _as_draft(row)

    def _seen(self, study_uid: str, who: Account, number: int) -> Draft:
        """The draft, if it is one's own, as one saw it, and not being signed."""
        with self._database.read() as connection:
            held = _own(connection, study_uid, who)
        return _of_number(held, number)

    def _step(
        self, held: Draft, who: Account, action: str, applied: int, edit: Mapping[str, Any]
    ) -> tuple[Draft, dict[str, Any]]:
        reading = self.reading(replace(held, applied=applied))
        return self._write(held, who, action, _told(edit), applied=applied), reading

    def _write(self, held: Draft, who: Account, action: str, detail: Mapping[str, Any], **values: Any) -> Draft:
        with self._database.write() as connection:
            now = _of_number(_own(connection, held.study_uid, who), held.number)
            return _changed(connection, now, who, action, detail, **values)


def _held(connection: Connection, study_uid: str) -> Draft | None:
    row = connection.execute(select(draft).where(draft.c.StudyInstanceUID == study_uid)).mappings().one_or_none()
    return None if row is None else _as_draft(row)


def _own(connection: Connection, study_uid: str, who: Account) -> Draft:
    held = _held(connection, study_uid)
    if held is None:
        raise Refusal(404, "no_draft", "There is no draft of this study; begin one.")
    if held.author != who.name:
        raise Refusal(409, "taken", f"{held.author} is at work on this study now.")
    _refuse_while_signing(connection, held)
    return held


def _of_number(held: Draft, number: int) -> Draft:
    if held.number != number:
        raise Refusal(409, "stale", "The draft was changed meanwhile, perhaps in another window; load it again.")
    return held


def _refuse_while_signing(connection: Connection, held: Draft) -> None:
    if is_being_signed(connection, held.job_id):
        raise Refusal(409, "signing", "The draft is being signed; it cannot be changed.")


def _changed(
    connection: Connection, held: Draft, who: Account, action: str, detail: Mapping[str, Any], **values: Any
) -> Draft:
    """Change a draft and say so; what was asked for before, to sign it as it was, is void."""
    after = replace(held, number=held.number + 1, changed_at=utc_now(), job_id=0, **values)
    row = {name: getattr(after, name) for name in ("number", "author", "changed_at", "applied", "language", "job_id")}
    row |= {"edits": json.dumps(after.edits), "words": json.dumps(after.words)}
    connection.execute(update(draft).where(draft.c.StudyInstanceUID == held.study_uid).values(row))
    said = {"number": after.number, **detail}
    audit.append(connection, actor=who.name, action=action, subject=held.study_uid, detail=said)
    return after


def _after_the_last(connection: Connection) -> int:
    """A first number that no earlier draft has had, so that an old window is told that it is stale.

    Every change of a draft is a row of the audit trail, so the trail's numbers run ahead of any draft's.
    """
    return int(connection.execute(select(func.max(trail.c.seq))).scalar_one_or_none() or 0) + 1


def _fit_to_sign(connection: Connection, study_uid: str, who: Account, number: int, reason: str) -> Draft:
    from bonescan.report.signature import is_a_name

    held = _of_number(_own(connection, study_uid, who), number)
    if not held.words.get("interpretation.text", "").strip():
        raise Refusal(422, "interpretation", "A signed report needs your own interpretation; write it first.")
    if last_signed(connection, study_uid) is not None and not reason.strip():
        raise Refusal(422, "reason", "The study has a signed report; say why it is amended.")
    if len(reason) > _LONGEST_REASON or not _is_text(reason):
        raise Refusal(422, "reason", f"A reason has {_LONGEST_REASON} characters at most.")
    if not is_a_name(who.name):
        raise Refusal(
            422, "name", "A report is signed in a physician's name; this account's has fewer than two letters."
        )
    return held


def _refuse_odd_words(words: Mapping[str, str]) -> None:
    from bonescan.report.physician import ENTRIES

    known = {f"{section}.{entry}" for section, entries in ENTRIES.items() for entry in entries}
    for key, text in words.items():
        if key not in known:
            raise Refusal(422, "text", f"A report has no entry of that name; there are {', '.join(sorted(known))}.")
        if len(text) > _LONGEST_TEXT:
            raise Refusal(422, "text", f"The entry {key} has more than {_LONGEST_TEXT} characters.")
        if not _is_text(text):
            raise Refusal(422, "text", f"The entry {key} holds signs that are no text.")


def _refuse_odd_language(language: str) -> None:
    from bonescan.report.language import report_languages

    known = report_languages()
    if language not in known:
        raise Refusal(422, "language", f"Reports are written in {', '.join(known)}.")


def _is_text(text: str) -> bool:
    """Whether a text is shown as it is kept, by whatever program.

    No control signs but line ends and tabs, no halves of signs, and none that turn the direction of writing, which some
    programs obey and others do not.
    """
    return _ODD.search(text) is None


def _told(edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit as the audit trail tells it: all of it but the points of outlines, of which there is a digest."""
    kept = {name: value for name, value in edit.items() if name not in ("outlines", "outline", "line")}
    canonical = json.dumps(edit, sort_keys=True, separators=(",", ":"))
    return {"edit": kept, "sha256": hashlib.sha256(canonical.encode()).hexdigest()}


def _told_by(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refusal(409, "not_editable", "The files of this version cannot be read; begin from another.") from error
    return found if isinstance(found, dict) else {}


def _as_draft(row: Any) -> Draft:
    names = ("version", "of_version", "number", "author", "begun_at", "changed_at", "applied", "language", "job_id")
    return Draft(
        **{name: row[name] for name in names},
        study_uid=row["StudyInstanceUID"],
        edits=tuple(json.loads(row["edits"] or "[]")),
        words=json.loads(row["words"] or "{}"),
    )
