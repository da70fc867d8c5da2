"""The report as plain text, in the order of the pages, for systems that take nothing else."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import east_asian_width

__all__ = ["plain_text", "wrapped"]

_WIDTH = 92
_KEPT = "\u00a0"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=[%×])")


def plain_text(content: Mapping[str, Any]) -> str:
    """Write the report as plain text.

    Parameters
    ----------
    content : mapping
        Of `bonescan.report.content.report_content`.

    Returns
    -------
    str
        Lines of at most 92 columns; a Chinese character is two.
    """
    c, wide, colon = content, content["wide_letters"], content["colon"]

    def told(text: str, first: str = "", later: str | None = None) -> list[str]:
        return wrapped(text, wide=wide, first=first, later=first if later is None else later)

    def rows(pairs: Iterable[Any]) -> list[str]:
        """Label and text, or label and paragraphs."""
        lines = []
        for label, text in pairs:
            first, *more = [text] if isinstance(text, str) else text
            lines += told(f"{label}{colon}{first}", "", "  ")
            lines += [line for paragraph in more for line in told(paragraph, "  ")]
        return lines

    def points(texts: Iterable[str]) -> list[str]:
        return [line for text in texts for line in told(text, "- ", "  ")]

    def heading(text: str) -> list[str]:
        return ["", text.upper(), ""]

    def under(text: str) -> list[str]:
        return ["", text]

    def table(section: Mapping[str, Any]) -> list[str]:
        """Every finding as one paragraph: letter and place, then each further column with its name."""
        lines = under(section["heading"])
        for row in section["rows"]:
            (letter, place, *cells), names = row["cells"], section["columns"][2:]
            said = [f"{name} {cell}" for name, cell in zip(names[:-1], cells[:-1], strict=True) if cell != "–"]
            lines += told(f"{letter}  {place}{colon}{c['clause_joint'].join(said)}{c['stop']}{cells[-1]}", "", "   ")
        return lines + ([section["none"]] if not section["rows"] else points(section["notes"]))

    def verdicts(section: Mapping[str, Any]) -> list[str]:
        lines = under(section["heading"])
        said = dict.fromkeys(
            f"[{row['cells'][0]}] {row['cells'][-1]}" for row in section["rows"]
        )  # both views alike: once
        lines += [line for text in said for line in told(text, "", "  ")]
        return lines if section["rows"] else [*lines, section["none"]]

    amended = told(c["status"]["amended"]) if c["status"]["amended"] else []
    lines = [c["title"], c["status"]["text"], *amended, *told(c["banner"]), "", *rows(c["patient"]["rows"])]
    if c["brief"]["text"]:
        lines += [*heading(c["brief"]["heading"]), *(line for text in c["brief"]["text"] for line in told(text))]
        lines += rows(c["brief"]["rows"])
    lines += [*heading(c["context"]["heading"]), *(rows(c["context"]["rows"]) or told(c["context"]["none"]))]
    lines += [*heading(c["procedure"]["heading"]), *rows(c["procedure"]["rows"])]
    lines += [*heading(c["findings"]["heading"]), *told(c["summary"]["sentence"])]
    lines += [*(told(c["summary"]["removed"]) if c["summary"]["removed"] else []), *rows(c["findings"]["rows"])]
    if c["comparison"]["rows"]:
        lines += [*under(c["comparison"]["heading"]), *rows(c["comparison"]["rows"]), *told(c["comparison"]["note"])]
    lines += [*table(c["bone"]), *(table(c["normal"]) if c["normal"]["rows"] else []), *table(c["other"])]
    lines += [*under(c["burden"]["heading"]), *rows(c["burden"]["rows"]), *told(c["burden"]["note"])]
    own, proposed = c["interpretation"], c["impression"]
    lines += [*heading(own["heading"]), *(rows(own["rows"]) or told(own["none"]))]
    if proposed["sentences"]:
        lines += [*under(proposed["heading"]), *points(proposed["sentences"])]
        for part in (proposed["abstains"], proposed["advice"]):
            lines += [*under(part["heading"]), *points(part["text"])] if part["text"] else []
        lines += ["", *told(proposed["note"]), *under(c["patterns"]["heading"])]
        for row in c["patterns"]["rows"]:
            marks = f" ({row['marks']})" if row["marks"] else ""
            lines += told(f"{row['name']}{colon}{row['presence']}{marks}")
            lines += [line for text in (*row["evidence"], row["source"]) for line in told(text, "  ", "    ")]
        lines += told(c["patterns"]["none"]) if not c["patterns"]["rows"] else []
        lines += points(c["patterns"]["notes"])
    lines += [*heading(c["limits"]["heading"])[:-1], *verdicts(c["quality"]), *verdicts(c["remarks"])]
    lines += [*under(c["limits"]["general"]), *points(c["limits"]["text"])]
    lines += [*heading(c["method"]["heading"]), *rows(c["method"]["rows"]), "", *points(c["credits"]["text"])]
    lines += ["", *told(c["footer"])]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def wrapped(text: str, first: str = "", later: str = "", *, wide: bool) -> list[str]:
    """Break a text into lines.

    Parameters
    ----------
    text : str
    first, later : str
        What begins the first line and the others.
    wide : bool
        Whether lines may break between any two Chinese characters; not before a closing mark, behind an opening one,
        or within a number or a word.

    Returns
    -------
    list of str
    """
    text = _BEFORE_UNIT.sub(_KEPT, text)
    if not wide:
        lines = textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=later) or [first]
        return [line.replace(_KEPT, " ") for line in lines]
    lines, line, columns = [], first, len(first)
    for part in re.findall(r"[（“]*(?:[!-~²³\u00a0]+ ?|.)[，。？！；：、）”]*", text):
        broad = sum(1 + (east_asian_width(letter) in "WF") for letter in part)
        if columns + broad > _WIDTH:
            lines.append(line.rstrip())
            line, columns = later, len(later)
        line, columns = line + part, columns + broad
    return [line.replace(_KEPT, " ") for line in (*lines, line.rstrip())]
