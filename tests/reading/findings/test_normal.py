import dataclasses

import numpy as np
import pytest
from scipy import ndimage, stats
from tests.reading import figure

from bonescan.reading.findings import detection
from bonescan.reading.findings.normal import expect_normal, gaussian_mm, unwrap
from bonescan.scan import ViewName

FRONT, BACK = figure.LABELS.views


def test_blur_has_the_stated_width() -> None:
    impulse = np.zeros((101, 101), dtype=np.float32)
    impulse[50, 50] = 1
    blurred = gaussian_mm(impulse, 12.0, 1.0, 2.0)
    # witness: a Gaussian falls to half at half its full width at half maximum: 6 mm is 6 rows, or 3 columns
    assert blurred[56, 50] / blurred[50, 50] == pytest.approx(0.5, abs=0.01)
    assert blurred[50, 53] / blurred[50, 50] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_gain_is_the_dispersion_of_the_noise(dispersion: float) -> None:
    picture = figure.view(ViewName.ANTERIOR, np.random.default_rng(1), counts=1.5e6 / dispersion, natural=0.0)
    scaled = dataclasses.replace(picture, counts=picture.counts * dispersion, counts_are_raw=False)
    # witness: counts multiplied by k have variance k times their mean
    assert expect_normal(scaled, FRONT).gain == pytest.approx(dispersion, rel=0.25)


def test_raw_counts_never_get_less_than_poisson_noise() -> None:
    picture = figure.view(ViewName.ANTERIOR, np.random.default_rng(2))
    smoothed = ndimage.gaussian_filter(picture.counts, 2.0)
    assert expect_normal(dataclasses.replace(picture, counts=smoothed), FRONT).gain == 1.0
    assert expect_normal(dataclasses.replace(picture, counts=smoothed, counts_are_raw=False), FRONT).gain < 1.0


def test_expectation_follows_normal_bone() -> None:
    picture = figure.view(ViewName.POSTERIOR, np.random.default_rng(3), natural=0.0)
    normal = expect_normal(picture, BACK)
    inside = ndimage.binary_erosion(BACK.regions == 3, iterations=2)
    # witness: the drawn spine is uniform, so what is expected there is what is seen there
    assert np.median(normal.expected[inside] / normal.smooth[inside]) == pytest.approx(1.0, abs=0.08)


def test_a_lesion_does_not_become_its_own_normal() -> None:
    factor = figure.lesion(ViewName.POSTERIOR, 0.0, 400.0, 24.0, 4.0)
    healthy = expect_normal(figure.view(ViewName.POSTERIOR, np.random.default_rng(4)), BACK)
    diseased = expect_normal(figure.view(ViewName.POSTERIOR, np.random.default_rng(4), factor=factor), BACK)
    at = np.unravel_index(np.argmax(diseased.smooth * (factor > 1)), factor.shape)
    # witness: the same drawing without the lesion
    assert diseased.expected[at] == pytest.approx(healthy.expected[at], rel=0.2)
    assert diseased.smooth[at] > 2 * healthy.smooth[at]


def test_levels_hold_when_a_whole_region_is_diseased() -> None:
    whole = np.where(BACK.regions == 9, np.float32(4.0), np.float32(1.0))
    diseased = expect_normal(figure.view(ViewName.POSTERIOR, np.random.default_rng(5), factor=whole), BACK)
    # witness: 1.13 of the skeleton's level, and two standard deviations of 0.15 above it
    assert diseased.levels[9] / diseased.skeleton_level < 1.13 * np.exp(0.3) * 1.001
    assert np.median((diseased.smooth / diseased.expected)[BACK.regions == 9]) > 1.5


def test_wrapped_pixels_count_as_hottest() -> None:
    row, column = np.indices((80, 80))
    true = 330 * np.exp(-((row - 40) ** 2 + (column - 40) ** 2) / (2 * 9.0**2)) + 10
    stored = np.floor(true) % 256
    restored, marked = unwrap(stored.astype(np.float32))
    # witness: the values before they wrapped
    np.testing.assert_array_equal(restored, np.floor(true))
    assert marked[40, 40]


def test_a_true_ring_is_left_alone() -> None:
    row, column = np.indices((80, 80))
    radius = np.hypot(row - 40, column - 40)
    ring = 250 * np.exp(-((radius - 16) ** 2) / (2 * 5.0**2)).astype(np.float32)
    restored, _ = unwrap(ring)
    np.testing.assert_array_equal(restored, ring)


def test_significance_is_calibrated_on_normal_pictures() -> None:
    """Maxima over normal bone are those of as many independent normal deviates."""
    maxima, centres, spreads = [], [], []
    for seed in range(12):
        labelled = (FRONT, BACK)[seed % 2]
        picture = figure.view(labelled.name, np.random.default_rng(100 + seed))
        normal = expect_normal(picture, labelled)
        z = detection.significance(normal, labelled)[ndimage.binary_erosion(labelled.regions > 0)]
        maxima.append(float(z.max()))
        centres.append(float(np.median(z)))
        spreads.append(float(np.percentile(z, 84) - np.median(z)))
    area_mm2 = float((FRONT.regions > 0).sum()) * figure.PIXEL_MM**2
    places = area_mm2 / 9.0**2
    # witness: the median of the largest of n normal deviates solves Phi(z)^n = 1/2, n between the places
    # of one scale and those of all four; the drawing's square corners add up to half a unit
    low, high = (float(stats.norm.ppf(0.5 ** (1 / n))) for n in (places, 4 * places))
    assert low - 0.5 < float(np.median(maxima)) < high + 0.5
    assert abs(float(np.mean(centres))) < 0.4
    assert float(np.mean(spreads)) == pytest.approx(1.0, abs=0.3)


def test_the_threshold_follows_what_is_beyond_doubt() -> None:
    m = 4 * float((FRONT.regions > 0).sum()) * figure.PIXEL_MM**2 / 9.0**2
    for clear, chance in ((0, 0.05), (1, 0.05), (20, 1.0)):
        # witness: the upper tail of a normal deviate, 5 % of a view or of the clear spots over all places tried
        limit = detection.threshold(FRONT, figure.PIXEL_MM, figure.PIXEL_MM, clear)
        assert float(stats.norm.sf(limit)) == pytest.approx(chance / m, rel=1e-6)


def _lesions(name: ViewName, places: list[tuple[float, float]], times: float) -> np.ndarray:
    return np.prod([figure.lesion(name, x, z, 24.0, times) for x, z in places], axis=0).astype(np.float32)


def test_clear_spots_of_one_view_lower_the_threshold_of_the_other() -> None:
    places = [(0.0, 110.0), (0.0, 160.0), (0.0, 210.0), (0.0, 300.0), (0.0, 360.0), (0.0, 420.0), (0.0, 480.0)]
    spots = {}
    for seen in (0, len(places)):
        views = []
        for labelled in (FRONT, BACK):
            factor = _lesions(labelled.name, places[:seen], 6.0) if labelled is BACK else np.ones(1, dtype=np.float32)
            picture = figure.view(
                labelled.name,
                np.random.default_rng(31),
                factor=factor if labelled is BACK else figure.lesion(labelled.name, 92.0, -250.0, 24.0, 1.7),
            )
            views.append((expect_normal(picture, labelled), labelled))
        front = detection.detect_hot(views)[ViewName.ANTERIOR]
        spots[seen] = next(spot for spot in front if abs(spot.x_mm - 92) < 15 and abs(spot.z_mm + 250) < 15)
    # witness: the same picture of the front; only what the back shows differs
    assert spots[0].significance == pytest.approx(spots[7].significance)
    limits = [detection.threshold(FRONT, figure.PIXEL_MM, figure.PIXEL_MM, clear) for clear in (0, 7)]
    assert limits[1] < spots[0].significance < limits[0]
    assert (spots[0].stands_alone, spots[7].stands_alone) == (False, True)


def test_the_trochanter_is_held_against_the_end_of_the_bone_not_its_shaft() -> None:
    end = np.where((BACK.regions == 12) & (BACK.z_mm > -140), np.float32(3.0), np.float32(1.0))
    shaft = np.where((BACK.regions == 12) & (np.abs(BACK.z_mm + 250) < 40), np.float32(3.0), np.float32(1.0))
    proximal = (BACK.regions == 12) & (BACK.z_mm > -130) & (BACK.z_mm < -90)
    middle = (BACK.regions == 12) & (np.abs(BACK.z_mm + 250) < 30)
    ratios = []
    for factor, place in ((end, proximal), (shaft, middle)):
        normal = expect_normal(figure.view(ViewName.POSTERIOR, np.random.default_rng(32), factor=factor), BACK)
        ratios.append(float(np.median((normal.smooth / normal.expected)[place])))
    # witness: the ends of long bones take up about three times what their shafts do, in people without disease
    assert ratios[0] < 1.2
    assert ratios[1] > 1.4
