"""What schemathesis asks, made from the OpenAPI of the whole workstation; `bench/workstation.py --fuzz` asks more."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "workstation.py"
pytestmark = pytest.mark.long


def test_no_request_made_from_the_openapi_is_a_fault(browser, workstation):
    """Ten of every route, as an administrator; a new name, role or number finds no route that was not thought of."""
    pytest.importorskip("schemathesis")
    spec = importlib.util.spec_from_file_location("bench_workstation", BENCH)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    counted = bench.fuzz(browser("admin"), examples=10)
    assert {"200", "404", "422"} <= set(counted)
    assert "500" not in counted
