"""Files for the dicom room's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from tests.dicom.peers import ORTHANC, Server, orthanc_in
from tests.dicom.phantom import written

from bonescan.dicom import open_scan
from bonescan.scan import Scan

Save = Callable[..., Path]
Open = Callable[..., Scan]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to_disk(content: Dataset | bytes, name: str = "image.dcm") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else written(content))
        return path

    return to_disk


@pytest.fixture
def opened(save: Save) -> Open:
    """Write the objects, one file each, and open them together."""

    def open_objects(*objects: Dataset | bytes, **options: Any) -> Scan:
        paths: Sequence[Path] = [save(content, f"image_{k}.dcm") for k, content in enumerate(objects)]
        return open_scan(paths, **options)

    return open_objects


@pytest.fixture
def codes() -> Callable[[Scan], set[str]]:
    return lambda scan: {remark.code for remark in scan.remarks}


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not ORTHANC:
        pytest.skip("Orthanc is not installed")
    with orthanc_in(tmp_path_factory.mktemp("orthanc")) as server:
        yield server
