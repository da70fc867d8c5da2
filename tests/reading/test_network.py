from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bonescan.reading import network
from bonescan.reading.network import (
    CHANNELS,
    FOCI,
    LARGEST,
    REGIONS,
    STEP,
    Glance,
    channels,
    familiarity,
    glance,
    look,
    prepare,
)
from bonescan.scan import Scan, View, ViewName

A, P = ViewName.ANTERIOR, ViewName.POSTERIOR


def view(name: ViewName, counts: np.ndarray, spacing_mm: tuple[float, float]) -> View:
    return View(
        name=name,
        counts=counts.astype(np.float32),
        row_spacing_mm=spacing_mm[0],
        column_spacing_mm=spacing_mm[1],
        identity_basis="test",
    )


def noisy(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(5, shape)


def echo(picture: np.ndarray) -> list[np.ndarray]:
    """A network that knows nothing: the first focus is the input's first channel, the second the row."""
    n, _, height, width = picture.shape
    foci = np.zeros((n, len(FOCI), height, width), np.float32)
    foci[:, 0] = picture[:, 0]
    foci[:, 1] = np.arange(height)[:, None]
    return [
        np.full((n, REGIONS, height, width), 1 / REGIONS, np.float32),
        foci,
        np.zeros((n, 2, height, width), np.float32),
        np.array([0.25], np.float32),
        np.ones(48, np.float32),
    ]


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "expected"),
    [
        ((1024, 256), (2.4, 2.4), (512, 128)),
        ((256, 256), (2.4, 2.4), (128, 128)),
        ((700, 250), (2.0, 2.2), (320, 128)),  # 292 x 115 pixels of 4.8 mm
        ((2000, 500), (2.4, 2.4), (512, 128)),  # 4800 mm: larger pixels
        ((2000, 1000), (2.4, 2.4), LARGEST),
        ((3, 3), (2.0, 2.0), (STEP, STEP)),
    ],
)
def test_any_size_comes_to_multiples_of_the_step(shape, spacing_mm, expected):
    picture = prepare(Scan(views=(view(A, noisy(shape), spacing_mm), view(P, noisy(shape), spacing_mm)))).picture
    assert picture.shape == (2, CHANNELS, *expected)
    assert picture.dtype == np.float32


def test_the_unit_of_the_counts_does_not_matter():
    one = Scan(views=(view(A, noisy((512, 128)), (4.8, 4.8)),))
    other = Scan(views=(view(A, 0.37 * noisy((512, 128)), (4.8, 4.8)),))
    # float32 arithmetic alone separates them
    np.testing.assert_allclose(prepare(one).picture, prepare(other).picture, atol=1e-5)


def test_a_view_that_lacks_is_empty_and_the_other_does_not_notice():
    both = Scan(views=(view(A, noisy((256, 96)), (4.8, 4.8)), view(P, noisy((256, 96), 1), (4.8, 4.8))))
    alone = Scan(views=both.views[1:])
    assert not prepare(alone).picture[0].any()
    np.testing.assert_array_equal(prepare(alone).picture[1], prepare(both).picture[1])


def test_the_posterior_view_is_mirrored_and_told_by_its_flag():
    counts = noisy((128, 128))
    picture = prepare(Scan(views=(view(A, counts, (4.8, 4.8)), view(P, counts, (4.8, 4.8))))).picture
    np.testing.assert_array_equal(picture[1, :2, :, ::-1], picture[0, :2])
    assert (picture[0, 2] == 1).all()
    assert (picture[1, 2] == -1).all()


def test_counts_are_kept_when_pixels_grow():
    counts = np.zeros((300, 100))
    counts[100:160, 30:70] = 4.0
    whole = prepare(Scan(views=(view(A, counts, (3.1, 2.3)),))).picture[0, 0]
    inside = whole[67:100, 24:40] ** 2  # well inside 64.6 to 103.3 and, after 8 empty columns, 22.4 to 41.5
    np.testing.assert_allclose(inside, inside.mean(), rtol=1e-4)  # the root of counts over one scale: flat stays flat


def test_a_scan_without_counts_has_a_picture():
    assert np.isfinite(channels(np.zeros((32, 32)), 0)).all()
    assert not channels(np.zeros((32, 32)), 0)[:2].any()


@pytest.mark.parametrize(
    ("shape", "spacing_mm"), [((512, 128), (4.8, 4.8)), ((1024, 256), (2.4, 2.4)), ((410, 190), (5.5, 3.0))]
)
@pytest.mark.parametrize("name", [A, P])
def test_what_the_network_sees_comes_back_where_it_was(shape, spacing_mm, name):
    counts = np.ones(shape)
    row, column = shape[0] * 3 // 5, shape[1] // 5
    counts[row - 3 : row + 4, column - 3 : column + 4] = 50
    seen = glance(Scan(views=(view(name, counts, spacing_mm),)), echo).views[0]
    assert seen.regions.shape == (REGIONS, *shape)
    assert seen.vertebra.shape == seen.rib.shape == shape
    weight = np.where(seen.foci["hot"] > 0.5 * seen.foci["hot"].max(), 1.0, 0.0)
    at = [float((weight * np.indices(shape)[k]).sum() / weight.sum()) for k in (0, 1)]
    assert at == pytest.approx([row, column], abs=0.75)  # half a pixel of the network


def test_rows_come_back_in_proportion():
    seen = glance(Scan(views=(view(A, noisy((1000, 256)), (2.4, 2.4)),)), echo).views[0]
    rows = seen.foci["metastatic"][:, 0]
    # the middle of a pixel lies at its half; the outermost have no neighbour to be drawn from
    np.testing.assert_allclose(rows[1:-1], (np.arange(1000)[1:-1] + 0.5) / 2 - 0.5, atol=1e-3)


def test_the_mirror_image_is_looked_at_as_well():
    seen = []

    def run(picture: np.ndarray) -> list[np.ndarray]:
        seen.append(picture)
        answers = echo(picture)
        answers[3] = np.array([len(seen)], np.float32)
        return answers

    assert glance(Scan(views=(view(A, noisy((64, 64)), (4.8, 4.8)),)), run).exchanged == 1.5
    np.testing.assert_array_equal(seen[0][..., ::-1], seen[1])


def test_without_weights_there_is_no_glance(monkeypatch):
    monkeypatch.setattr(network, "_session", lambda: None)
    assert look(Scan(views=(view(A, noisy((64, 64)), (4.8, 4.8)),))) is None


def test_familiarity_falls_with_distance(monkeypatch):
    known = {
        "mean": [0.0, 0.0],
        "precision": [[1.0, 0.0], [0.0, 4.0]],
        "distance_quantiles": [0.0, 1.0, 2.0],  # least, median, largest
        "least_score": 0.1,
        "least_distance": 1.8,
    }
    monkeypatch.setattr(network, "_known", lambda: {"familiarity": known})

    def at(x: float, y: float) -> Glance:
        return Glance(views=(), exchanged=0.0, embedding=np.array([x, y], np.float32))

    assert familiarity(at(0, 0)).score == 1
    assert familiarity(at(1, 0)).score == pytest.approx(0.5)  # d = 1, the median
    assert familiarity(at(0, 1)).score == 0  # d = 2
    assert familiarity(at(1, 0)).familiar
    assert not familiarity(at(0, 5)).familiar
    assert familiarity(at(0, 5)).reasons
    assert not familiarity(at(1, 0)).reasons


# --- the weights that are shipped ------------------------------------------------------------------------

SAMPLE = Path(__file__).with_name("held_out.npz")
CARD = Path(__file__).parents[2] / "docs" / "model-card.md"


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    """Simulated people that the network was not trained with: counts (person, view, row, column), and their truth."""
    with np.load(SAMPLE) as file:
        return dict(file)


def scan_of(counts: np.ndarray) -> Scan:
    return Scan(views=tuple(view(name, one, (4.8, 4.8)) for name, one in zip((A, P), counts, strict=True)))


@pytest.fixture(scope="module")
def glances(sample) -> list[Glance]:
    return [look(scan_of(counts)) for counts in sample["counts"]]


def test_the_shipped_weights_find_the_regions_that_the_card_says(sample, glances):
    dice = []
    for person, truths in zip(glances, sample["regions"], strict=True):
        for own, truth in zip(person.views, truths, strict=True):
            ours = own.regions.argmax(axis=0)
            for region in set(np.unique(truth)) & set(range(1, 13)):
                a, b = ours == region, truth == region
                dice.append(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
    # the figure was measured with these weights on these pictures; another processor rounds otherwise
    assert np.mean(dice) == pytest.approx(network._known()["sample"]["dice"], abs=0.005)


def test_the_shipped_weights_find_the_lesions_that_the_card_says(sample, glances):
    found = [
        own.foci["hot"][lesions == number].max() > 0.5
        for person, both in zip(glances, sample["lesions"], strict=True)
        for own, lesions in zip(person.views, both, strict=True)
        for number in np.unique(lesions[lesions > 0])
    ]
    known = network._known()["sample"]
    assert len(found) == known["lesions"]
    assert np.mean(found) == pytest.approx(known["found"], abs=1.5 / len(found))  # one may lie at the threshold


def test_the_card_tells_what_was_measured():
    card, known = CARD.read_text(encoding="utf-8"), network._known()
    for kind in ("whole", "part"):
        figures = known["figures"][kind]
        for dice in figures["mean_dice_1_to_12"]:
            assert f"{dice:.3f}" in card
        assert f"{100 * figures['found']:.0f} %" in card
    assert f"{known['recipe']['pictures']:,}" in card
    assert f"{known['recipe']['people']:,}" in card


def test_maps_are_probabilities_and_levels_are_in_range(glances):
    for own in (one for person in glances for one in person.views):
        np.testing.assert_allclose(own.regions.sum(axis=0), 1, atol=1e-4)  # sums of float32
        assert set(own.foci) == set(FOCI)
        assert all(one.min() >= 0 and one.max() <= 1 for one in own.foci.values())
        spine = np.isin(own.regions.argmax(axis=0), (2, 3, 9, 10))
        assert 1 <= np.median(own.vertebra[spine]) <= 25
        assert 1 <= np.median(own.rib[own.regions.argmax(axis=0) == 4]) <= 12


def test_simulated_people_are_familiar_and_noise_is_not(glances):
    # of four people drawn as the network's own, at least three lie within 99 %
    assert sum(familiarity(one).familiar for one in glances) >= 3
    noise = look(scan_of(np.random.default_rng(0).poisson(20, (2, 512, 128))))
    assert not familiarity(noise).familiar


def test_exchanged_views_are_noticed(sample, glances):
    swapped = [look(scan_of(counts[::-1])).exchanged for counts in sample["counts"]]
    assert np.mean(swapped) > 0.5 > np.mean([one.exchanged for one in glances])


def test_the_number_of_threads_changes_no_bit(sample, glances, monkeypatch):
    network._session.cache_clear()
    monkeypatch.setattr(network, "_THREADS", 1)
    alone = look(scan_of(sample["counts"][0]))
    network._session.cache_clear()
    np.testing.assert_array_equal(alone.embedding, glances[0].embedding)
    for one, other in zip(alone.views, glances[0].views, strict=True):
        np.testing.assert_array_equal(one.regions, other.regions)
        np.testing.assert_array_equal(one.vertebra, other.vertebra)


def test_a_crop_is_labelled_like_the_whole(sample, glances):
    rows = slice(96, 320)  # chest to thighs; the head and the lower legs are cut away
    cropped = look(scan_of(sample["counts"][0][:, rows]))
    whole = glances[0]
    for own, other in zip(cropped.views, whole.views, strict=True):
        ours, theirs = own.regions.argmax(axis=0), other.regions[:, rows].argmax(axis=0)
        inner = theirs[16:-16] > 0
        assert (ours[16:-16] == theirs[16:-16])[inner].mean() > 0.8  # a whole region lost would be more


def test_the_weights_are_small():
    assert (files("bonescan.reading") / "data" / "reader.onnx").stat().st_size < 8 * 2**20
