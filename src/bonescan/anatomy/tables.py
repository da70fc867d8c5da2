"""Packaged tables of numbers and names, row by row: this room's and, by name, those of the rooms above."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files

__all__ = ["rows"]


def rows(table: str, room: str = "anatomy") -> Iterator[dict[str, str]]:
    """Rows of a room's ``data/<table>.csv``; lines that begin with ``#`` tell where it comes from and are passed over.

    Parameters
    ----------
    table : str
    room : str

    Returns
    -------
    iterator of dict of str to str
        By the names of the columns.
    """
    text = files(f"bonescan.{room}").joinpath(f"data/{table}.csv").read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
