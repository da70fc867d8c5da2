"""What a caller takes, held against what there is: the Accept header with the parameters that PS3.18 8.7 gives it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Offer", "chosen"]

_ITEMS = re.compile(r'(?:[^,"]|"[^"]*")+')
_PARAMETERS = re.compile(r'(?:[^;"]|"[^"]*")+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One form in which something can be given out.

    Parameters
    ----------
    media_type : str
        In small letters.
    inner : str
        Of the parts, where it is ``multipart/related``.
    syntaxes : frozenset of str
        Transfer syntaxes that are held against the caller's; empty where it may name any.
    """

    media_type: str
    inner: str = ""
    syntaxes: frozenset[str] = frozenset()


def chosen(accept: str, offers: Sequence[Offer]) -> Offer | None:
    """Find what is given out.

    Parameters
    ----------
    accept : str
        The header's value; empty takes anything.
    offers : sequence of Offer
        The one that is given to who takes anything comes first.

    Returns
    -------
    Offer or None
        The first that fits what the caller wants most; ``None`` when nothing does.

    Examples
    --------
    >>> json = Offer(media_type="application/dicom+json")
    >>> chosen("text/html, application/*;q=0.5", [json]) is json, chosen("application/dicom+xml", [json])
    (True, None)
    """
    ranges = [_understood(item) for item in _ITEMS.findall(accept)] if accept.strip() else [("*/*", {})]
    ranges.sort(key=lambda one: -_weight(one[1]))
    for media_type, parameters in ranges:
        if _weight(parameters) <= 0:
            continue
        for offer in offers:
            if _fits(media_type, parameters, offer):
                return offer
    return None


def _understood(item: str) -> tuple[str, dict[str, str]]:
    media_type, *rest = [part.strip() for part in _PARAMETERS.findall(item)] or [""]
    named = (part.partition("=") for part in rest)
    return media_type.lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in named}


def _weight(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _fits(media_type: str, parameters: dict[str, str], offer: Offer) -> bool:
    if not _covers(media_type, offer.media_type):
        return False
    if offer.inner and not _covers(parameters.get("type", "*/*").lower(), offer.inner):
        return False
    syntax = parameters.get("transfer-syntax", "*")
    return syntax == "*" or not offer.syntaxes or offer.syntaxes == {syntax}


def _covers(media_range: str, media_type: str) -> bool:
    return media_range in ("*/*", "*", media_type) or (
        media_range.endswith("/*") and media_type.startswith(media_range[:-1])
    )
