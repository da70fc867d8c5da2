"""Small files of results on a disk that refuses; versions, digests and folders are tested with what makes them."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from bonescan.archive.results import write_durably
from bonescan.errors import ArchiveUnavailable


def test_a_file_of_which_the_disk_takes_a_part_is_not_kept(tmp_path: Path):
    """The system takes what fits and says how much; an earlier file stays as it was."""
    path = tmp_path / "result.json"
    write_durably(path, b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ArchiveUnavailable, match="cannot be written"):
            write_durably(path, bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]
