import pytest

from bonescan.followup.spelling import same_name, same_nuclide, same_sex, same_tracer, same_words

# Witness: spellings of DICOM headers (PS3.3 and PS3.16 CID 18 and 25) and of people for one and the same thing.


@pytest.mark.parametrize(
    ("spelt", "ways"),
    [
        (same_name, ("DOE^JOHN", "Doe^John", "John Doe", "doe^john^^^", "Doé, John", "Doe^John=Doe^John")),
        (same_sex, ("M", "male", "Male ", "m")),
        (same_nuclide, ("Tc-99m", "99mTc", "^99m^Technetium", "TC 99M", "Technetium-99m", "Tc99m")),
        (same_nuclide, ("F-18", "18F", "^18^Fluorine", "F18")),
        (same_tracer, ("Tc-99m MDP", "MDP", "Technetium Tc^99m^ medronate", "99mTc-MDP")),
        (same_tracer, ("HDP", "HMDP", "Tc-99m oxidronate")),
        (same_words, ("GE_Discovery 670", "GE Discovery 670", "ge discovery-670")),
    ],
)
def test_one_thing_spelt_differently_is_one_thing(spelt, ways):
    assert len({spelt(way) for way in ways}) == 1
    assert spelt(ways[0])


@pytest.mark.parametrize(
    ("spelt", "one", "other"),
    [
        (same_name, "DOE^JOHN", "DOE^JANE"),
        (same_sex, "M", "F"),
        (same_nuclide, "Tc-99m", "F-18"),
        (same_nuclide, "Mo-99", "Tc-99m"),
        (same_tracer, "Tc-99m MDP", "Tc-99m HDP"),
        (same_tracer, "etidronate HEDP", "HDP"),
        (same_words, "12-3", "1-23"),
    ],
)
def test_two_things_stay_two(spelt, one, other):
    assert spelt(one) != spelt(other)


@pytest.mark.parametrize("said", [None, "", "O", "unknown"])
def test_a_sex_that_is_not_told_is_told_by_nothing(said):
    assert same_sex(said) == ""
