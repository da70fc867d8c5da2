"""Wildcards of queries: what they find, and that none of them holds up the archive."""

import re
from itertools import product

import pytest

from bonescan.archive.matching import fits


def test_wildcards_are_those_of_a_regular_expression() -> None:
    # Witness: Python's own expressions, for every pattern of up to four signs and every text of up to four.
    signs = {"*": ".*", "?": "."}
    patterns = ["".join(one) for length in range(1, 5) for one in product("ab*?", repeat=length)]
    values = ["".join(one) for length in range(5) for one in product("ab", repeat=length)]
    for pattern in patterns:
        witness = re.compile("".join(signs.get(sign, sign) for sign in pattern))
        for value in values:
            assert fits("StudyDescription", pattern, value) is bool(witness.fullmatch(value)), (pattern, value)


@pytest.mark.parametrize("keyword", ["StudyDescription", "PatientName"])
def test_a_query_of_many_stars_is_answered(keyword: str) -> None:
    # As a regular expression this takes longer than anybody waits: there are C(64, 24) ways to share out the text.
    assert not fits(keyword, "*a" * 24 + "*b", "a" * 64)
    assert fits(keyword, "*a" * 24 + "*", "a" * 64)
    assert not fits(keyword, "*" * 40 + "b", "a" * 64)
