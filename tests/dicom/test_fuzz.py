"""The short form of bench/fuzz_dicom.py: damaged files are refused or told, never passed off as good."""

from __future__ import annotations

from collections import Counter

import pytest
from bench.fuzz_dicom import FAILURES, fuzz, seeds


@pytest.mark.long
def test_three_hundred_damaged_files():
    rows = list(fuzz(seeds(), 0, 300, random_seed=7))
    assert [row for row in rows if row[2] in FAILURES] == []
    # it would prove nothing if every file were refused, or none harmed
    outcomes = Counter(row[2] for row in rows)
    assert min(outcomes["same"], outcomes["told"], outcomes["refused"]) >= 20
