"""An evaluation as a record for machines and a page for people, every figure with another evaluation's beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from importlib import resources
from typing import Any

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.errors import UnreadableInput
from bonescan.evaluation.agreement import mirrored_figures
from bonescan.evaluation.curves import curves
from bonescan.evaluation.detection import detection_figures
from bonescan.evaluation.drawing import PLOTS, draw
from bonescan.evaluation.figures import Figure, People, agreement_figures, cost_figures, scan_dice
from bonescan.evaluation.patients import burden_figures, calibration_figures, patient_figures
from bonescan.evaluation.statistics import RESAMPLES

__all__ = [
    "EVALUATION_SCHEMA",
    "OUTPUT_NAMES",
    "evaluation_files",
    "evaluation_record",
    "evaluation_schema",
    "figures",
    "refuse_another_schema",
]

EVALUATION_SCHEMA = "bonescan-evaluation/1"

OUTPUT_NAMES = ("evaluation.json", "evaluation.md", "evaluation.html", *(f"{plot}.svg" for plot in PLOTS))
"""Every file that an evaluation may have."""

_NOTE = (
    "Readings held against a truth that is known because the studies are simulated, or against outlines of another "
    "program and marks of one reader. Nothing here is a clinical performance."
)


def evaluation_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of evaluation.json.

    Returns
    -------
    dict
    """
    text = resources.files("bonescan.evaluation").joinpath("evaluation.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def figures(people: People) -> tuple[Figure, ...]:
    """Every figure of an evaluation, in the order of the table.

    Parameters
    ----------
    people : People

    Returns
    -------
    tuple of Figure
    """
    return (
        *agreement_figures(people),
        *detection_figures(people),
        *patient_figures(people),
        *calibration_figures(people),
        *burden_figures(people),
        *mirrored_figures(people),
        *cost_figures(people),
    )


def evaluation_record(
    cases: Sequence[Mapping[str, Any]],
    *,
    reader: str,
    versions: Mapping[str, str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """An evaluation as plain JSON values.

    Parameters
    ----------
    cases : sequence of mapping
        Comparisons of all studies.
    reader : str
        What the reader is called in tables.
    versions : mapping of str to str
    seed, resamples : int
        Of the bootstrap.

    Returns
    -------
    dict
        Valid against `evaluation_schema`.

    Raises
    ------
    UnreadableInput
        When there is no comparison.
    """
    if not cases:
        raise UnreadableInput("There is no comparison to make an evaluation from.")
    people = People(cases, seed=seed, resamples=resamples)
    return {
        "schema": EVALUATION_SCHEMA,
        "note": _NOTE,
        "reader": reader,
        "studies": [case["name"] for case in cases],
        "bootstrap": {"over": "people", "seed": seed, "resamples": resamples},
        "versions": dict(versions),
        "figures": [asdict(one) for one in figures(people)],
        "curves": curves(people),
        "failed": [{"name": case["name"], "why": case["failed"]} for case in cases if case["failed"] is not None],
        "by_study": [_study(case) for case in cases],
    }


def refuse_another_schema(record: Mapping[str, Any]) -> None:
    """Refuse what is no evaluation of this version.

    Parameters
    ----------
    record : mapping

    Raises
    ------
    UnreadableInput
    """
    if record.get("schema") != EVALUATION_SCHEMA:
        raise UnreadableInput(f"What to compare with is no {EVALUATION_SCHEMA}: give another run's evaluation.json.")


def _study(case: Mapping[str, Any]) -> dict[str, Any]:
    """What one line says of one study; null where it means nothing."""
    dice = {
        f"{REGION_NAMES[int(region)]}, {view}": value
        for view, own in case["regions"].items()
        for region, value in own["dice"].items()
    }
    lowest = min(dice, key=lambda name: dice[name], default=None)
    marks = [mark for mark in case["marks"] or () if mark["kind"] == "bone"]
    visible = [one for one in case["lesions"] or () if one["visible"]]
    known = case["lesions"] is not None
    return {
        "name": case["name"],
        "group": case["group"],
        "labels_trusted": case["labels"]["trusted"] if case["labels"] else None,
        "mean_dice": scan_dice(case),
        "lowest_region": lowest,
        "lowest_dice": None if lowest is None else dice[lowest],
        "visible_lesions": len(visible) if known else None,
        "found": sum(one["found"] for one in visible) if known else None,
        "false_marks": sum(not mark["hits"] for mark in marks) if known else None,
        "circles": case["circles"]["all"]["sure"] if case.get("circles") else None,
        "circles_found": case["circles"]["all"]["found"] if case.get("circles") else None,
        "not_marked": len(case["circles"]["all"]["extra"]) if case.get("circles") else None,
        "bone_scan_index_percent": case["burden"]["bone_scan_index_percent"],
        "true_percent": case["burden"]["true_percent"],
        "metastatic": case["impression"]["metastatic"] if case["impression"] else None,
        "seconds": case["seconds"],
    }


def evaluation_files(record: Mapping[str, Any], against: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The files of an evaluation.

    Parameters
    ----------
    record : mapping
        As of `evaluation_record`.
    against : mapping, optional
        Another one, whose figures stand beside every one of the first.

    Returns
    -------
    dict of str to bytes
        ``evaluation.json``, ``evaluation.md``, ``evaluation.html`` and a plot ``NAME.svg`` each.

    Raises
    ------
    UnreadableInput
        When `against` is not a record of this version.
    """
    if against is not None:
        refuse_another_schema(against)
    names = [_called(record, against), *([_called(against, record)] if against is not None else [])]
    plots = draw(
        record["curves"],
        names[0],
        None if against is None else against["curves"],
        names[-1],
    )
    files = {
        "evaluation.json": json.dumps(record, indent=1, allow_nan=False) + "\n",
        "evaluation.md": _markdown(record, against, names, plots),
        "evaluation.html": _html(record, against, names, plots),
        **{f"{name}.svg": text for name, text in plots.items()},
    }
    return {name: text.encode() for name, text in files.items()}


def _called(record: Mapping[str, Any], other: Mapping[str, Any] | None) -> str:
    name = str(record["reader"])
    return name if other is None or other["reader"] != name else f"{name}, {len(record['studies'])} studies"


Row = tuple[str, str, list[str]]


def _rows(record: Mapping[str, Any], against: Mapping[str, Any] | None) -> Iterable[tuple[str, list[Row]]]:
    """By section, every figure in words: title, how many it is over, and the cell of each evaluation."""
    beside = {} if against is None else {one["key"]: one for one in against["figures"]}
    own = {one["key"]: one for one in record["figures"]}
    rest = [one for key, one in beside.items() if key not in own and not _parts(key, own)]
    told = [
        (one, [one, *([beside.get(key) or _absent_whole(key, beside)] if against is not None else [])])
        for key, one in own.items()
        if one["value"] is not None or key in beside or not _parts(key, beside)
    ]
    told += [(one, [_absent_whole(one["key"], own), one]) for one in rest]
    sections: dict[str, list[Row]] = {}
    for one, cells in told:
        over = " / ".join(f"{cell['n']}" if cell else "-" for cell in cells)
        over = over if len({cell["n"] if cell else None for cell in cells}) > 1 else str(one["n"])
        row = one["title"], f"{over} {one['of']}".strip(), [_cell(cell) for cell in cells]
        sections.setdefault(one["section"], []).append(row)
    return sections.items()


def _parts(key: str, figures: Iterable[str]) -> bool:
    """Whether one evaluation has in parts what is absent as a whole in the other."""
    return any(other.startswith(f"{key}.") for other in figures)


def _absent_whole(key: str, figures: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one for own, one in figures.items() if one["value"] is None and key.startswith(f"{own}.")), None)


def _cell(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    if one["value"] is None:
        return str(one["absent_reason"])
    unit = f" {one['unit']}" if one["unit"] else ""
    if one["low"] is None:
        return f"{_number(one['value'])}{unit}"
    return f"{_number(one['value'])}{unit} ({_number(one['low'])} to {_number(one['high'])})"


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _markdown(
    record: Mapping[str, Any], against: Mapping[str, Any] | None, names: Sequence[str], plots: Iterable[str]
) -> str:
    out = ["# Evaluation", "", *_opening(record), ""]
    for section, rows in _rows(record, against):
        out += [f"## {section}", "", f"| | {' | '.join(names)} | over |", "|---" * (len(names) + 2) + "|"]
        out += [f"| {title} | {' | '.join(cells)} | {over} |" for title, over, cells in rows]
        out.append("")
    columns, studies = _studies_table(record)
    out += ["## Study by study", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    out += [f"| {' | '.join(row)} |" for row in studies]
    out += ["", *(f"![{name.replace('_', ' ')}]({name}.svg)" for name in plots)]
    return "\n".join(out) + "\n"


def _studies_table(record: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns that hold anything, and a row for every study."""
    told = record["by_study"]
    columns = [column for column in told[0] if any(row[column] is not None for row in told)]
    rows = [[_plain(row[column]) for column in columns] for row in told]
    return [column.replace("_percent", ", %").replace("_", " ") for column in columns], rows


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value) if isinstance(value, int | float) else str(value)


def _opening(record: Mapping[str, Any]) -> list[str]:
    draws = record["bootstrap"]["resamples"]
    lines = [
        f"{len(record['studies'])} studies. In brackets: 95 % intervals over people ({draws} draws).",
        record["note"],
    ]
    return lines + [f"Not read: {one['name']}: {one['why']}" for one in record["failed"]]


_STYLE = """
body { font: 15px/1.45 sans-serif; color: #222; max-width: 1150px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2, summary { font-size: 1.1em; font-weight: bold; margin: 1.6em 0 0.4em }
table { border-collapse: collapse; width: 100% }
td, th { padding: 2px 10px; border-bottom: 1px solid #ddd; text-align: left }
td:nth-child(n+2), th:nth-child(n+2) { white-space: nowrap; font-variant-numeric: tabular-nums }
td:last-child, th:last-child { color: #666 } tr:hover td { background: #f4f7fa } summary { cursor: pointer }
.plots { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start }
"""


def _html(
    record: Mapping[str, Any], against: Mapping[str, Any] | None, names: Sequence[str], plots: Mapping[str, str]
) -> str:
    out = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>',
        f"<style>{_STYLE}</style></head><body><h1>Evaluation: {escape(' beside '.join(names))}</h1>",
        *(f"<p>{escape(line)}</p>" for line in _opening(record)),
        f'<div class="plots">{"".join(plots.values())}</div>',
    ]
    for section, rows in _rows(record, against):
        part = "scan, by" in section or section.startswith("Single")
        out.append(f"<details><summary>{escape(section)}</summary>" if part else f"<h2>{escape(section)}</h2>")
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        out.append(f"<table><tr><th></th>{head}<th>over</th></tr>")
        for title, over, cells in rows:
            data = "".join(f"<td>{escape(cell)}</td>" for cell in (title, *cells, over))
            out.append(f"<tr>{data}</tr>")
        out.append("</table></details>" if part else "</table>")
    columns, studies = _studies_table(record)
    out.append("<details><summary>Study by study</summary><table><tr>")
    out += [*(f"<th>{escape(column)}</th>" for column in columns), "</tr>"]
    out += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in studies]
    return "\n".join([*out, "</table></details></body></html>"]) + "\n"
