"""The pages' files as they lie in the package: known by name before anybody asks, so no name can lead elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

__all__ = ["MEDIA_TYPES", "PAGES", "StaticFile", "static_files"]

PAGES: Mapping[str, str] = MappingProxyType(
    {
        "/": "worklist.html",
        "/study/{uid}": "study.html",
        "/study/{uid}/phases": "phases.html",
        "/study/{uid}/volume": "volume.html",
        "/study/{uid}/spots": "spots.html",
        "/study/{uid}/compare": "compare.html",
        "/study/{uid}/compare/{prior}": "compare.html",
        "/sign-in": "sign-in.html",
        "/people": "people.html",
        "/plan": "plan.html",
        "/study/{uid}/leaflet": "leaflet.html",
        "/quality": "quality.html",
        "/teaching": "teaching.html",
    }
)
"""Which file of the package each address shows. None holds data: what a page shows, it asks the API for."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".gif": "image/gif",
        ".ico": "image/x-icon",
        ".woff2": "font/woff2",
        ".pdf": "application/pdf",
        ".csv": "text/csv; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
        ".npz": "application/octet-stream",
    }
)
"""What files are called on the wire; the system's own table differs from machine to machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file of the pages.

    Parameters
    ----------
    content : bytes
    media_type : str
    tag : str
        For browsers that have it already.
    """

    content: bytes
    media_type: str
    tag: str


def static_files(folder: Path | None = None) -> Mapping[str, StaticFile]:
    """Read all files of the pages.

    Parameters
    ----------
    folder : Path, optional
        The package's by default.

    Returns
    -------
    mapping of str to StaticFile
        By name relative to the folder, with ``/``.
    """
    home = folder or Path(__file__).parent / "static"
    found = {}
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.suffix in MEDIA_TYPES:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(home).as_posix()] = StaticFile(
                content=content, media_type=MEDIA_TYPES[path.suffix], tag=tag
            )
    return MappingProxyType(found)
