"""Which kinds of objects are taken and sent, and how they may be encoded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context
from pynetdicom.presentation import PresentationContext

__all__ = [
    "COMMITMENT",
    "COMMITMENT_INSTANCE",
    "FIND_MODELS",
    "GET_MODELS",
    "MESSAGE_ENCODINGS",
    "MOVE_MODELS",
    "OBJECT_ENCODINGS",
    "UNCOMPRESSED",
    "VERIFICATION",
    "WORKLIST",
    "contexts_for",
    "storage_classes",
]

# PS3.6 table A-1; of the query models the patient's root, then the study's.
VERIFICATION = "1.2.840.10008.1.1"
FIND_MODELS = ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1")
MOVE_MODELS = ("1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2")
GET_MODELS = ("1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3")
WORKLIST = "1.2.840.10008.5.1.4.31"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian))
# Queries and reports: no deflated ones, which unpack to a thousand times their size.
MESSAGE_ENCODINGS = UNCOMPRESSED
# JPIP leaves the pixels on another server, SMPTE 2110 is a stream: neither is a whole object. Whoever opens a deflated
# object unpacks it whole, and 2 MB may become 2 GB; who deflates also sends plainly.
_NO_OBJECTS = (
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
)
# Objects: the first that a sender offers in one context is chosen, so what loses nothing stands before what may.
OBJECT_ENCODINGS = (
    *UNCOMPRESSED,
    *(
        each
        for each in ALL_TRANSFER_SYNTAXES
        if each not in UNCOMPRESSED and each not in _NO_OBJECTS and not each.startswith("1.2.840.10008.1.2.7.")
    ),
)
_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers of one byte


@cache
def storage_classes() -> frozenset[str]:
    """Every storage class of the standard that pynetdicom knows.

    Returns
    -------
    frozenset of str
        SOP class UIDs.
    """
    return frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)


def contexts_for(objects: Iterable[tuple[str, str]]) -> list[PresentationContext]:
    """What to propose to a peer for objects that are to be sent.

    Parameters
    ----------
    objects : iterable of (str, str)
        SOP class and transfer syntax of each.

    Returns
    -------
    list of PresentationContext
        One for each class as it is encoded, and one for each class with uncompressed objects in any uncompressed way;
        at most 128, the rest is left out.
    """
    kinds = list(dict.fromkeys(objects))
    exact = [build_context(one, syntax) for one, syntax in kinds]
    plain = dict.fromkeys(one for one, syntax in kinds if syntax in UNCOMPRESSED)
    either = [build_context(one, list(UNCOMPRESSED[:2])) for one in plain]
    return (exact + either)[:_MOST_CONTEXTS]
