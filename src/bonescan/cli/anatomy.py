"""``anatomy``: what bonescan knows of the skeleton, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import typer

from bonescan.cli.terminal import AsJson, Row, aligned, in_json, print_results

__all__ = ["COMMANDS"]


def anatomy(
    table: Annotated[
        Literal["bones", "regions", "masses"], typer.Option("--table", help="Which table to print.")
    ] = "bones",
    as_json: AsJson = False,
) -> None:
    """Print what bonescan knows of the skeleton.

    \b
    bones    every bone: id, name, side, region, FMA and SNOMED codes
    regions  the planar regions and their numbers in regions_VIEW.png
    masses   each bone's share of skeletal mass, by published table

    \b
    Examples:
      bonescan anatomy
      bonescan anatomy --table regions
      bonescan anatomy --table masses --json
    """
    rows = _TABLES[table]()
    print_results(in_json(rows) if as_json else aligned(rows))


def _bones() -> list[Row]:
    from bonescan import anatomy as room

    columns = ("id", "name", "side", "region", "group", "fma", "snomed")
    return [{column: getattr(bone, column) for column in columns} for bone in room.BONES]


def _regions() -> list[Row]:
    from bonescan import anatomy as room

    return [{"region": number, "name": name} for number, name in sorted(room.REGION_NAMES.items())]


def _masses() -> list[Row]:
    from bonescan import anatomy as room

    tables = [room.mass_table(name) for name in room.MASS_TABLES]
    return [
        {"bone": bone.id, **{f"{table.name} {table.version}": table.share_percent.get(bone.id) for table in tables}}
        for bone in room.BONES
    ]


_TABLES: Mapping[str, Callable[[], list[Row]]] = {"bones": _bones, "regions": _regions, "masses": _masses}


COMMANDS: Sequence[Callable[..., None]] = (anatomy,)
