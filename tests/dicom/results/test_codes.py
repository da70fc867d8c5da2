"""Every code written under a standard's name is in DICOM's own dictionary, and every private one fits its attribute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from tests.dicom.results.studies import whole_body_study

from bonescan.anatomy import BONES
from bonescan.dicom.results.codes import OWN_SCHEME, REGIONS, bone_code


def known(scheme: str) -> set[str]:
    """PS3.16 as pydicom carries it."""
    return {value for meanings in concepts[scheme].values() for value in meanings}


def codes_in(dataset: Dataset) -> Iterator[Dataset]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                if "CodingSchemeDesignator" in item and "CodeMeaning" in item:
                    yield item
                yield from codes_in(item)


def written() -> set[tuple[str, str, str]]:
    one = whole_body_study()
    return {
        (str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))
        for name in one.results
        for item in codes_in(one.dataset(name))
    }


@pytest.mark.parametrize("scheme", ["SCT", "DCM"])
def test_standard_codes_are_in_the_dictionary(scheme):
    found = {value for value, designator, _ in written() if designator == scheme}
    assert found
    assert found <= known(scheme)


def test_bones_and_regions_have_standard_codes():
    assert {bone_code(one.id).value for one in BONES} <= known("SCT")
    assert {code.value for code in REGIONS.values()} <= known("SCT")


def test_every_code_is_of_a_scheme_we_name():
    assert {scheme for _, scheme, _ in written()} == {"SCT", "DCM", "UCUM", "LN", "RFC5646", OWN_SCHEME}


def test_codes_and_meanings_fit():
    for value, _, meaning in written():
        assert 0 < len(value) <= 16  # SH
        assert 0 < len(meaning) <= 64  # LO


def test_one_private_code_means_one_thing():
    meanings: dict[str, set[str]] = {}
    for value, scheme, meaning in written():
        if scheme == OWN_SCHEME:
            meanings.setdefault(value, set()).add(meaning)
    assert all(len(said) == 1 for said in meanings.values())


@pytest.mark.parametrize("number", [value for value, scheme, _ in sorted(written()) if scheme == "LN"])
def test_loinc_numbers_carry_their_check_digit(number):
    digits, check = number.split("-")
    doubled = int("".join(reversed(digits))[::2][::-1]) * 2  # Luhn, modulus 10
    total = sum(map(int, str(doubled))) + sum(map(int, "".join(reversed(digits))[1::2]))
    assert (10 - total % 10) % 10 == int(check)
