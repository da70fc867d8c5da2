"""How texts and pictures become pages: HTML templates, PDF/A and PNG by typst, letters that a font lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import OutputFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

__all__ = ["in_packaged_font", "packaged_fonts", "page_template", "picture_svg", "set_page", "set_pages"]

_PDF_STANDARDS = ["a-2b", "ua-1"]
_PIXELS_PER_INCH = 150
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATIN_GREEK_CYRILLIC = re.compile("[\u0020-\u024f\u0370-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u202f\u20ac\u2212]")
_LATIN_1 = re.compile("[\u0020-\u00ff\u2013\u202f\u2212]")
_SIGNS = frozenset(map(ord, "–—‘’“”•…"))


@cache
def page_template(name: str) -> Template:
    """Return a packaged HTML template; every inserted text is escaped.

    Parameters
    ----------
    name : str
        Of the file.

    Returns
    -------
    jinja2.Template
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_packaged(name))


def _packaged(name: str) -> str:
    return resources.files("bonescan.report").joinpath(name).read_text(encoding="utf-8")


def packaged_fonts() -> Path:
    """Return the folder of the fonts that come with bonescan, beside those inside typst.

    Returns
    -------
    Path
    """
    return Path(str(resources.files("bonescan.report").joinpath("fonts")))


def in_packaged_font(letter: str) -> bool:
    """Say whether the packaged font has a character: Latin, and those of GB 2312, Greek and Cyrillic among them.

    Parameters
    ----------
    letter : str

    Returns
    -------
    bool
    """
    number = ord(letter)
    if number < 0x250 or 0x1E00 <= number < 0x1F00 or number in _SIGNS:
        return True
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return not (0x2500 <= number < 0x2580 or 0x3040 <= number < 0x3100)  # no boxes, no kana


def set_pages(
    files: Mapping[str, bytes], data: Mapping[str, Any], dated: datetime | None, *, fonts: Sequence[Path] = ()
) -> bytes:
    """Set pages as PDF/A-2b and PDF/UA-1 with the fonts inside typst, none of this machine.

    PDF/A forbids text that its fonts cannot show. Where a name has such
    characters they are written as their Unicode numbers, so that no letter of a
    name is lost or replaced by an empty box.

    Parameters
    ----------
    files : mapping of str to bytes
        ``main.typ`` and what it includes.
    data : mapping
        What ``main.typ`` finds as JSON in its input ``data``; ``font_note`` is added to it: whether letters had to
        be written as their Unicode numbers.
    dated : datetime or None
        Date of the document; no clock is asked.
    fonts : sequence of Path
        Folders of packaged fonts, beside those inside typst.

    Returns
    -------
    bytes

    Raises
    ------
    OutputFailed
        When the project's own wording holds characters that the fonts lack.
    """
    return _set(files, data, dated, fonts)[0]


def set_page(
    files: Mapping[str, bytes], data: Mapping[str, Any], dated: datetime | None, *, fonts: Sequence[Path] = ()
) -> tuple[bytes, bytes]:
    """Set one page as `set_pages` does, and as a picture.

    Parameters
    ----------
    files, data, dated, fonts
        As for `set_pages`.

    Returns
    -------
    pdf : bytes
    png : bytes
        The first page, at 150 pixels to the inch.

    Raises
    ------
    OutputFailed
        As for `set_pages`.
    """
    import typst

    pdf, noted = _set(files, data, dated, fonts)
    picture = typst.compile(
        dict(files),  # type: ignore[call-overload]  # as in _set
        format="png",
        ppi=_PIXELS_PER_INCH,
        ignore_system_fonts=True,
        font_paths=[str(folder) for folder in fonts],
        sys_inputs={"data": json.dumps(noted)},
    )
    return pdf, bytes(picture[0] if isinstance(picture, list) else picture)


def _set(
    files: Mapping[str, bytes], data: Mapping[str, Any], dated: datetime | None, fonts: Sequence[Path]
) -> tuple[bytes, Any]:
    """Set the PDF, and say with which data that went."""
    import typst

    if dated is not None and dated.tzinfo is None:
        dated = dated.replace(tzinfo=UTC)
    failure: Exception | None = None
    within: tuple[Callable[[str], object] | None, ...] = (None, _LATIN_GREEK_CYRILLIC.match, _LATIN_1.match)
    if fonts:
        within = (
            None,
            lambda letter: in_packaged_font(letter) or _LATIN_GREEK_CYRILLIC.match(letter),
            in_packaged_font,
        )
    for shows in within:
        noted: Any = {**data, "font_note": shows is not None}
        if shows is not None:
            noted = _numbered(noted, shows)
        try:
            pdf = typst.compile(
                dict(files),  # type: ignore[call-overload]  # typst's stub lacks the mapping of names to bytes
                format="pdf",
                ignore_system_fonts=True,
                font_paths=[str(folder) for folder in fonts],
                sys_inputs={"data": json.dumps(noted)},
                pdf_standards=_PDF_STANDARDS,
                timestamp=dated or _EPOCH,
            )
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            failure = error
        else:
            return bytes(pdf), noted
    raise OutputFailed(
        "The PDF could not be set: the report's own wording holds characters that its fonts lack; "
        "keep to Latin-1 in the wording file."
    ) from failure


def _numbered(value: Any, shows: Callable[[str], object]) -> Any:
    """Write every character that the fonts do not show as its Unicode number, however deep."""
    if isinstance(value, str):
        return "".join(letter if shows(letter) else f"[U+{ord(letter):04X}]" for letter in value)
    if isinstance(value, Mapping):
        return {key: _numbered(item, shows) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbered(item, shows) for item in value]
    return value


def picture_svg(picture: Mapping[str, Any]) -> bytes:
    """Wrap a JPEG as SVG text, as typst takes pictures from memory; the JPEG enters the PDF as it is.

    Parameters
    ----------
    picture : mapping
        Of `embedded`.

    Returns
    -------
    bytes
    """
    width, height = picture["width"], picture["height"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="{picture["source"]}"/></svg>'
    ).encode("ascii")
