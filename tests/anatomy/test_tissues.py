from __future__ import annotations

import math

import numpy as np
import pytest

from bonescan.anatomy.tissues import (
    ENERGY_RANGE_KEV,
    TISSUES,
    attenuation_per_cm,
    free_incoherent_cm2_per_g,
    mass_coefficients,
    tissue,
)
from bonescan.errors import InvalidValue

# mu/rho of water in cm2/g: NIST Standard Reference Database 126 (Hubbell and Seltzer)
NIST_WATER = {20: 0.8096, 80: 0.1837, 100: 0.1707, 150: 0.1505, 200: 0.1370, 300: 0.1186, 500: 0.09687, 600: 0.08956}
# mu per cm at 140.511 keV, computed from the same media directly with the Elam tables when they were measured
MEASURED = {
    "tooth": 0.4232,
    "mineral bone": 0.2926,
    "spongiosa": 0.1712,
    "yellow marrow": 0.1500,
    "cartilage": 0.1670,
    "skin": 0.1655,
    "blood": 0.1615,
    "muscle": 0.1599,
    "kidney": 0.1600,
    "thyroid": 0.1593,
    "adipose": 0.1453,
    "lung": 0.0582,
    "urine": 0.1592,
    "water": 0.1537,
    "PMMA": 0.1768,
    "hydroxyapatite": 0.4931,
}


@pytest.mark.parametrize(("energy_kev", "expected"), NIST_WATER.items())
def test_water_attenuates_as_nist_says(energy_kev, expected):
    # the Elam tables differ from XCOM by up to 0.1 %, interpolation adds less
    assert math.fsum(mass_coefficients("water", energy_kev)) == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize(("name", "expected"), MEASURED.items())
def test_tissues_attenuate_technetium_photons_as_measured(name, expected):
    assert attenuation_per_cm(name, 140.511) == pytest.approx(expected, rel=0.01)


def test_water_without_coherent_scatter_is_what_transport_codes_use():
    # 0.1507 to 0.1509 per cm at 140.5 keV, from two cross-section libraries
    photoelectric, incoherent, _ = mass_coefficients("water", 140.5)
    assert 0.1507 <= photoelectric + incoherent <= 0.1509


def test_lead_stops_technetium_photons():
    # 2.3686 cm2/g at 140.511 keV, total (Elam); NIST's table interpolates to 2.37
    assert math.fsum(mass_coefficients("lead", 140.511)) == pytest.approx(2.3686, rel=0.005)


def test_free_electrons_scatter_as_klein_and_nishina_say():
    # Thomson's limit, 6.6524e-25 cm2 per electron, corrected to first order by 1 - 2a at 20 keV within a^2
    water = tissue("water").composition
    electrons = (water["H"] / 1.008 * 1 + water["O"] / 15.999 * 8) * 6.02214e23
    a = 20 / 511
    thomson = 6.6524e-25 * electrons * (1 - 2 * a + 5.2 * a**2)
    assert free_incoherent_cm2_per_g("water", 20) == pytest.approx(thomson, rel=1e-3)


@pytest.mark.parametrize("energy_kev", [60.0, 140.5, 511.0])
def test_binding_takes_a_little_from_incoherent_scatter(energy_kev):
    bound, free = mass_coefficients("water", energy_kev)[1], free_incoherent_cm2_per_g("water", energy_kev)
    assert bound < free
    assert free / bound < 1.04


@pytest.mark.parametrize(("name", "edge_kev"), [("lead", 88.005), ("iodine contrast", 33.169), ("barium", 37.441)])
def test_absorption_jumps_at_a_k_edge(name, edge_kev):
    # the jump of the element alone is about 5 at these edges; iodine and barium are diluted
    below, above = (mass_coefficients(name, edge_kev * f)[0] for f in (0.999, 1.001))
    assert above / below > 3


def test_compositions_are_whole_and_every_energy_is_finite():
    for name, item in TISSUES.items():
        assert sum(item.composition.values()) == pytest.approx(1, abs=1e-9), name
        assert item.certainty in "VMCD"
        for energy in np.linspace(*ENERGY_RANGE_KEV, 7):
            assert all(value > 0 for value in mass_coefficients(name, float(energy))), name


def test_density_scales_attenuation():
    assert attenuation_per_cm("bone", 140.5, density=2.0) == pytest.approx(
        2.0 / tissue("bone").density_g_per_ml * attenuation_per_cm("bone", 140.5)
    )


@pytest.mark.parametrize("energy_kev", [19.9, 601.0, float("nan")])
def test_energies_outside_the_tables_are_refused(energy_kev):
    with pytest.raises(InvalidValue, match="20 to 600 keV"):
        mass_coefficients("water", energy_kev)
    with pytest.raises(InvalidValue, match="20 to 600 keV"):
        free_incoherent_cm2_per_g("water", energy_kev)


def test_what_is_unknown_or_impossible_is_refused():
    with pytest.raises(InvalidValue, match="no tissue 'cheese'"):
        tissue("cheese")
    with pytest.raises(InvalidValue, match="density"):
        attenuation_per_cm("water", 140.5, density=-1.0)
