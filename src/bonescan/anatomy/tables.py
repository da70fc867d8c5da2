"""The room's packaged tables of numbers and names, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files

__all__ = ["rows"]


def rows(table: str) -> Iterator[dict[str, str]]:
    """Rows of ``data/<table>.csv``; lines that begin with ``#`` tell where the table comes from and are passed over.

    Parameters
    ----------
    table : str

    Returns
    -------
    iterator of dict of str to str
        By the names of the columns.
    """
    text = files("bonescan.anatomy").joinpath(f"data/{table}.csv").read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
