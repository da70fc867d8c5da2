from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def house() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).parents[2]
