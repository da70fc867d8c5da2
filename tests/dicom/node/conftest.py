"""A node on a free port of this machine, with a shelf to look into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from tests.dicom.node.shelves import FolderShelf, as_file

from bonescan.dicom.node.serving import Node, serve
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer, Right

EVERYTHING = frozenset(Right)


@dataclass
class Running:
    """A node at work, its shelf, and how it is called."""

    node: Node
    shelf: FolderShelf
    settings: NodeSettings
    spool: Path

    @property
    def as_peer(self) -> Peer:
        return Peer(ae_title=self.settings.ae_title, host="127.0.0.1", port=self.node.port)

    @contextmanager
    def called(self, contexts: Sequence[Any], title: str = "CAMERA", **more: Any) -> Iterator[Association]:
        """An association with the node, as another program opens one."""
        entity = AE(ae_title=title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
        association = entity.associate(
            "127.0.0.1", self.node.port, contexts=list(contexts), ae_title=self.settings.ae_title, **more
        )
        try:
            yield association
        finally:
            if association.is_established:
                association.release()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a node with the peers and limits that a test needs; all are stopped at its end."""
    with ExitStack() as started:

        def begin(*peers: Peer, limits: Limits | None = None, shelf: FolderShelf | None = None, **more: Any) -> Running:
            camera = Peer(ae_title="CAMERA", host="127.0.0.1", may=EVERYTHING - {Right.MOVE})
            settings = NodeSettings(
                port=0, peers=peers or (camera,), limits=limits or Limits(opening_s=5, idle_s=20), **more
            )
            kept = shelf or FolderShelf(tmp_path / "shelf")
            return Running(
                started.enter_context(serve(kept, settings, spool=tmp_path / "spool")),
                kept,
                settings,
                tmp_path / "spool",
            )

        yield begin


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[Path]]:
    """Objects as files."""

    def write(*objects: Any) -> list[Path]:
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{number}.dcm" for number in range(len(objects))]
        for path, one in zip(paths, objects, strict=True):
            path.write_bytes(one if isinstance(one, bytes) else as_file(one))
        return paths

    return write
