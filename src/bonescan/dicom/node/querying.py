"""C-FIND, C-MOVE and C-GET: what is on the shelf is found by its keys, and sent to who asked or where it may go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import evt

from bonescan.dicom.node.contexts import FIND_MODELS, GET_MODELS, MOVE_MODELS, contexts_for
from bonescan.dicom.node.settings import NodeSettings
from bonescan.dicom.node.shelf import Level, Shelf, StoredObject
from bonescan.dicom.node.transport import keep_answers, note

if TYPE_CHECKING:
    from pynetdicom.events import Event

__all__ = ["Answer", "find", "get", "move"]

# PS3.4 annex C.4, PS3.7 annex C.
_PENDING = 0xFF00
_CANCELLED = 0xFE00
_DESTINATION_UNKNOWN = 0xA801
_IDENTIFIER_MISMATCH = 0xA900
_UNABLE = 0xC000
_UNIQUE = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
_NO_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC", "RetrieveAETitle"})
_MOST_WAITING_ANSWERS = 64

Answer = tuple[int, Dataset | None]


def find(event: Event, shelf: Shelf, settings: NodeSettings) -> Iterator[Answer]:
    """Answer a query.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Of a C-FIND request.
    shelf : Shelf
    settings : NodeSettings

    Yields
    ------
    (int, pydicom.Dataset or None)
        A status, and with "pending" one match: the keys that were asked for, and no others.
    """
    began, found = time.monotonic(), 0
    calling = event.assoc.requestor.ae_title
    try:
        level, asked, keys = _query(event)
    except _Unfit:
        note("refused-query", logging.WARNING, peer=calling)
        yield _IDENTIFIER_MISMATCH, None
        return
    try:
        for match in shelf.match(level, keys):
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            if not _wait_for_reader(event):
                return
            found += 1
            yield _PENDING, _answer(asked, match, level, settings.ae_title)
    except Exception as error:  # whatever the shelf met, the one who asks learns that the list is not whole
        note("failed-query", logging.ERROR, peer=calling, level=level, reason=type(error).__name__)
        yield _UNABLE, None
        return
    note("found", peer=calling, level=level, matches=found, seconds=f"{time.monotonic() - began:.3f}")


def move(event: Event, shelf: Shelf, settings: NodeSettings) -> Iterator[Any]:
    """Send objects to a configured peer.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Of a C-MOVE request.
    shelf : Shelf
    settings : NodeSettings

    Yields
    ------
    (str, int, dict), then int, then (int, pydicom.Dataset or None)
        What pynetdicom asks for: where to, how many, and each of them.
    """
    calling = event.assoc.requestor.ae_title
    destination = settings.peer(str(event.move_destination).strip())
    if destination is None or not destination.reachable:
        note("refused-move", logging.WARNING, peer=calling, reason="unknown destination")
        yield None, None
        return
    try:
        objects = _wanted(event, shelf)
    except _Unfit:
        note("refused-move", logging.WARNING, peer=calling, reason="unfit identifier")
        # pynetdicom takes a failure only in place of an object, and then has called the destination already; a number
        # that cannot be is its one way to fail before (it answers C513, unable to process)
        yield destination.host, destination.port, {}
        yield "unfit identifier"
        return
    more: dict[str, Any] = {
        "contexts": contexts_for((one.sop_class_uid, one.transfer_syntax_uid) for one in objects),
        "evt_handlers": [(evt.EVT_CONN_OPEN, keep_answers)],
    }
    if destination.tls and settings.tls is not None:
        more["tls_args"] = (settings.tls.calling(), destination.host)
    yield destination.host, destination.port, more
    yield len(objects)
    note("moving", peer=calling, to=destination.ae_title, objects=len(objects))
    yield from _each(event, objects)


def get(event: Event, shelf: Shelf) -> Iterator[Any]:
    """Send objects to who asks, over the same association.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Of a C-GET request.
    shelf : Shelf

    Yields
    ------
    int, then (int, pydicom.Dataset or None)
        What pynetdicom asks for: how many, and each of them.
    """
    calling = event.assoc.requestor.ae_title
    try:
        objects = _wanted(event, shelf)
    except _Unfit:
        note("refused-get", logging.WARNING, peer=calling)
        yield 1
        yield _IDENTIFIER_MISMATCH, None
        return
    yield len(objects)
    note("getting", peer=calling, objects=len(objects))
    yield from _each(event, objects)


class _Unfit(ValueError):
    """The identifier of a request does not fit its information model."""


def _each(event: Event, objects: list[StoredObject]) -> Iterator[Answer]:
    for one in objects:
        if event.is_cancelled:
            yield _CANCELLED, None
            return
        try:
            dataset: Dataset = dcmread(one.path)
        except Exception:  # counted as failed under its UID, the others follow
            note("unreadable-object", logging.ERROR)
            dataset = Dataset()
            dataset.SOPInstanceUID = one.sop_instance_uid
        yield _PENDING, dataset


def _identifier(event: Event) -> tuple[Level, Dataset]:
    try:
        identifier = event.identifier
        level = Level(str(identifier.get("QueryRetrieveLevel", "")).strip())
    except Exception as error:  # hostile bytes raise almost anything
        raise _Unfit from error
    root = event.context.abstract_syntax
    if level is Level.PATIENT and root in (FIND_MODELS[1], MOVE_MODELS[1], GET_MODELS[1]):
        raise _Unfit
    return level, identifier


def _text(identifier: Dataset, keyword: str) -> str:
    try:
        value = identifier.get(keyword)
    except Exception as error:  # a key that cannot be read must not match everything
        raise _Unfit from error
    if value is None:
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(one) for one in value)
    return str(value)


def _query(event: Event) -> tuple[Level, list[str], dict[str, str]]:
    """Return the level, every keyword that is asked for, and the keys that restrict."""
    level, identifier = _identifier(event)
    asked, keys = [], {}
    for element in list(identifier.keys()):
        keyword = _keyword(element)
        if not keyword or keyword in _NO_KEYS:
            continue
        asked.append(keyword)
        if dictionary_VR(keyword) != "SQ":
            keys[keyword] = _text(identifier, keyword)
    return level, asked, keys


def _keyword(tag: Any) -> str:
    return "" if tag.is_private else keyword_for_tag(tag)


def _answer(asked: list[str], match: Mapping[str, str], level: Level, ae_title: str) -> Dataset:
    answer = Dataset()
    if not all(value.isascii() for value in match.values()):
        answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level.value
    answer.RetrieveAETitle = ae_title
    for keyword in asked:
        if dictionary_VR(keyword) == "SQ":
            setattr(answer, keyword, [])
            continue
        value = match.get(keyword, "")
        try:
            setattr(answer, keyword, value.split("\\") if "\\" in value else value)
        except (ValueError, TypeError, OverflowError):
            setattr(answer, keyword, None)  # as the object says it, the value is none of its kind
    return answer


def _wanted(event: Event, shelf: Shelf) -> list[StoredObject]:
    level, identifier = _identifier(event)
    levels = list(Level)
    uids = {}
    for one in levels[: levels.index(level) + 1]:
        values = [value.strip() for value in _text(identifier, _UNIQUE[one]).split("\\")]
        if values := [value for value in values if value]:
            uids[_UNIQUE[one]] = values
    asked = uids.get(_UNIQUE[level], [])
    if not asked or any(wild in value for value in asked for wild in "*?"):
        raise _Unfit
    return list(shelf.paths(uids))


def _wait_for_reader(event: Event) -> bool:
    """Hold back while answers wait to be sent; a peer that does not read them would fill the memory."""
    while event.assoc.is_established:
        if event.assoc.dul.to_provider_queue.qsize() < _MOST_WAITING_ANSWERS:
            return True
        time.sleep(0.005)
    return False
