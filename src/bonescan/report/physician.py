"""The physician's part of the report: text in a plain file beside the reading, never a measured value.

``report_text.toml`` is written once, with empty entries that say what belongs there, and never changed by the program.
The report joins it with what was measured. It names the study it was written for, so that a text never comes to stand
over another person's scan. Without a physician's name and a time of signature the report calls itself a draft; what a
signature binds, an archive decides: here it is what the file says, held to the same rule as the patient's leaflet
(`bonescan.report.signature`): a name, and no time before the scan.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.report.language import Language
from bonescan.report.signature import Amends, Signature, is_a_name, refuse_before_the_scan

__all__ = ["ENTRIES", "TEXT_NAME", "PhysicianText", "empty_text", "read_text", "text_bytes"]

TEXT_NAME = "report_text.toml"
"""The file of the physician's text."""

ENTRIES: Mapping[str, tuple[str, ...]] = {
    "context": ("question", "history", "laboratory", "radiology", "treatment", "earlier_scans"),
    "procedure": ("injection_site", "preparation", "incidents", "further_images"),
    "findings": ("remarks",),
    "interpretation": ("text", "recommendation", "urgent"),
}
"""What a physician may write, by the section of the report: the report items of EANM 2016,
doi:10.1007/s00259-016-3415-4."""

_SIGNATURE = ("physician", "signed_at")
_AMENDS = ("amends_version", "amends_signed_at", "amends_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicianText:
    """What a physician has written for one study's report.

    Parameters
    ----------
    study_uid : str
    entries : mapping of (section, entry) to str
        Those of `ENTRIES` that hold something.
    physician : str
        Empty in a draft.
    signed_at : datetime, optional
        ``None`` in a draft.
    amends : Amends, optional
        The signed version that this one replaces.
    electronic : bool
        Whether an archive holds the signature; what a file says of itself it does not.

    Raises
    ------
    InvalidValue
        With a name and no time or the other way round, with a name that is none, or signed without an interpretation.
    """

    study_uid: str
    entries: Mapping[tuple[str, str], str] = field(default_factory=dict)
    physician: str = ""
    signed_at: datetime | None = None
    amends: Amends | None = None
    electronic: bool = False

    def __post_init__(self) -> None:
        if bool(self.physician) != (self.signed_at is not None):
            raise InvalidValue(
                f"A signature in {TEXT_NAME} is a physician and a time; one of them is missing: give both, or neither "
                "in a draft.",
                got=self.physician,
            )
        if self.physician and not is_a_name(self.physician):
            raise InvalidValue(f"A report is signed only in the name of a physician, got {self.physician!r}.")
        if self.physician and ("interpretation", "text") not in self.entries:
            raise InvalidValue(
                f"A signed report needs the physician's own interpretation; write it in {TEXT_NAME}, or take the "
                "signature out."
            )

    def signed(self, signature: Signature) -> PhysicianText:
        """The same text under a signature that an archive holds."""
        return replace(
            self,
            physician=signature.name,
            signed_at=signature.signed_at,
            amends=signature.amends,
            electronic=True,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nobody has written anything yet."""
        return not self.entries and not self.physician

    def of(self, section: str, entry: str) -> str:
        """What stands in an entry; empty where nothing does."""
        return self.entries.get((section, entry), "")

    def checked_for(self, record: Mapping[str, Any], today: date | None = None) -> None:
        """Refuse to stand over another study, or to be signed before the scan or on a day to come.

        Raises
        ------
        InvalidValue
        """
        if not self.is_empty and self.study_uid != (record["scan"]["study_uid"] or ""):
            raise InvalidValue(
                f"The {TEXT_NAME} was written for another study; give the text of this one, or another folder.",
                got=self.study_uid,
                expected=record["scan"]["study_uid"],
            )
        if self.signed_at is None:
            return
        refuse_before_the_scan("report", self.signed_at.date(), record["scan"]["acquired_at"])
        if today is not None and self.signed_at.date() > today:
            raise InvalidValue("A report cannot be signed on a day to come; check the day.", got=str(self.signed_at))


def read_text(content: bytes) -> PhysicianText:
    """Read the bytes of a ``report_text.toml``.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    PhysicianText

    Raises
    ------
    UnreadableInput
        When it is no TOML, or holds what no entry is for.
    InvalidValue
        As `PhysicianText` says.
    """
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(
            f"The {TEXT_NAME} cannot be read ({error}); keep every text between quotation marks, three on each side "
            "where it has several lines."
        ) from error
    expected = {"study": ("uid",), **ENTRIES, "signature": (*_SIGNATURE, *_AMENDS)}
    for section, table in tables.items():
        unknown = set(table) - set(expected.get(section, ())) if isinstance(table, dict) else {section}
        if section not in expected or unknown:
            raise UnreadableInput(
                f"The {TEXT_NAME} holds [{section}] {', '.join(sorted(unknown))}, which no report has; it may hold "
                + "; ".join(f"[{name}] {', '.join(entries)}" for name, entries in expected.items())
                + ".",
                got=section,
            )
    told = {(section, entry): _text(tables, section, entry) for section, own in ENTRIES.items() for entry in own}
    return PhysicianText(
        study_uid=_text(tables, "study", "uid"),
        entries={key: text for key, text in told.items() if text},
        physician=_text(tables, "signature", "physician"),
        signed_at=_signed_at(tables.get("signature", {}).get("signed_at", "")),
        amends=_amends(tables),
    )


def _amends(tables: Mapping[str, Any]) -> Amends | None:
    told = {entry: tables.get("signature", {}).get(entry, "") for entry in _AMENDS}
    if not any(told.values()):
        return None
    signed_at, version = _signed_at(told["amends_signed_at"]), str(told["amends_version"])
    if signed_at is None or not version.isdecimal():
        raise UnreadableInput(
            f"The {TEXT_NAME} amends a report without saying its version and when that was signed; give both."
        )
    return Amends(version=int(version), signed_at=signed_at, reason=_text(tables, "signature", "amends_reason"))


def _text(tables: Mapping[str, Any], section: str, entry: str) -> str:
    text = tables.get(section, {}).get(entry, "")
    if not isinstance(text, str):
        raise UnreadableInput(
            f"The {TEXT_NAME} holds [{section}] {entry} without quotation marks; put the text in them."
        )
    return text.strip()


def _signed_at(stated: object) -> datetime | None:
    if stated == "":
        return None
    try:
        when = stated if isinstance(stated, datetime) else datetime.fromisoformat(str(stated))
    except ValueError as error:
        raise UnreadableInput(
            f"The {TEXT_NAME} is signed at {str(stated)[:40]!r}; write the time as YYYY-MM-DD HH:MM.", got=str(stated)
        ) from error
    return when


def empty_text(study_uid: str | None, tongue: Language) -> bytes:
    """Write the file in which the physician's text belongs, every entry empty and explained.

    Parameters
    ----------
    study_uid : str or None
        Of the study that is reported.
    tongue : Language
        Of the explanations.

    Returns
    -------
    bytes
    """
    uid = "".join(letter for letter in study_uid or "" if letter.isalnum() or letter in ".-")
    return text_bytes(PhysicianText(study_uid=uid), tongue)


def text_bytes(text: PhysicianText, tongue: Language) -> bytes:
    """Write a physician's text as its file, for `read_text`.

    Parameters
    ----------
    text : PhysicianText
    tongue : Language
        Of the explanations.

    Returns
    -------
    bytes
    """
    w = tongue.words["physician"]
    lines = [*(f"# {line}" for line in w["about"]), "", "[study]", f"uid = {_quoted(text.study_uid)}"]
    for section, entries in ENTRIES.items():
        lines += ["", f"# {tongue.words[section]['heading']}", f"[{section}]"]
        for entry in entries:
            lines += [f"# {w[section][entry]}", f"{entry} = {_quoted(text.of(section, entry))}"]
    signed_at = "" if text.signed_at is None else text.signed_at.isoformat(" ", "seconds")
    lines += ["", f"# {w['signature']}", "[signature]"]
    lines += [f"physician = {_quoted(text.physician)}", f"signed_at = {_quoted(signed_at)}"]
    if text.amends is not None:
        told = (str(text.amends.version), text.amends.signed_at.isoformat(" ", "seconds"), text.amends.reason)
        lines += [f"{entry} = {_quoted(one)}" for entry, one in zip(_AMENDS, told, strict=True)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _quoted(text: str) -> str:
    """A basic string of TOML: that of JSON, which leaves only DEL as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
