"""Photon transport against formulas, other codes and itself: how right, how fast, and how many histories it takes.

Run: python bench/transport.py [sphere slab forced primary speed ratio noise ...] [--spacing 4] [--histories 10000000]

    sphere   absorbed energy of a 140.5 keV source in 10 cm of water; EGSnrc says 0.31265 (free electrons), 0.31210
    slab     escape from the middle of 20 cm of water, with the package goupil if it is there, and what mixing bound
             cross-sections with free angles would give
    forced   forced detection against photons that leave the body towards the heads
    primary  unscattered photons against the analytic model, by regions of a patient
    speed    histories a second
    ratio    scatter over primary by view and region of the body
    noise    noise of scatter, relative to all that a pixel is expected to count, by the number of histories
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expn

from bonescan.anatomy import REGION_NAMES
from bonescan.anatomy.medium import Medium
from bonescan.anatomy.tissues import free_incoherent_cm2_per_g, mass_coefficients
from bonescan.camera import camera, transport
from bonescan.camera.forced import analog_scatter, scatter
from bonescan.camera.projections import Projections
from bonescan.camera.projector import Projector
from bonescan.camera.scattering import scatter_tables
from bonescan.camera.transport import fates
from bonescan.field import Field, Grid
from bonescan.journeys.shadows import PlanarPlace, bone_maps, region_map
from bonescan.patient.sampling import SampledPatient, sample_patient
from bonescan.patient.scenario_file import packaged_scenario
from bonescan.scan import ViewName

EDGES = (0.0, 60.0, 90.0, 110.0, 126.0, 150.0)
TILE_MM = 80.0


def water(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> tuple[Field, Medium]:
    """A box of water, with a source in its middle voxel."""
    grid = Grid(shape=shape, spacing_mm=spacing_mm, origin_mm=(0, 0, 0))
    activity = np.zeros(shape, dtype=np.float32)
    activity[tuple(n // 2 for n in shape)] = 1
    medium = Medium(grid=grid, material=np.ones(shape, dtype=np.uint8), materials=({}, {"water": 1.0}))
    return Field(values=activity, grid=grid, unit="kBq/mL"), medium


def sphere(histories: int) -> None:
    activity, box = water((101,) * 3, (2.0,) * 3)
    place = (np.arange(101) - 50) * 2.0
    inside = place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 <= 100.0**2
    medium = Medium(grid=box.grid, material=inside.astype(np.uint8), materials=box.materials)
    print("sphere        absorbed    EGSnrc   ratio   unscattered   exp(-mu R)")
    for electrons, rayleigh, egs in (
        ("free", False, 0.31265), ("free", True, 0.31288), ("bound", False, 0.31210), ("bound", True, 0.31215),
    ):  # fmt: skip
        found = fates(activity, medium, histories, 1, electrons=electrons, rayleigh=rayleigh)
        straight = math.exp(-10 * per_cm(electrons, rayleigh))
        print(
            f"{electrons:6}{' + coherent' if rayleigh else '':11}{found.absorbed_energy:.5f} {egs:9.5f} "
            f"{found.absorbed_energy / egs:7.4f} {found.unscattered:13.5f} {straight:12.5f}"
        )


def per_cm(electrons: str, rayleigh: bool) -> float:
    absorbed, incoherent, coherent = mass_coefficients("water", 140.511)
    free = free_incoherent_cm2_per_g("water", 140.511)
    return absorbed + (free if electrons == "free" else incoherent) + rayleigh * coherent


def slab(histories: int) -> None:
    activity, medium = water((1, 201, 1), (1e7, 200 / 201, 1e7))
    print("slab                      unscattered  scattered     <60    60-90   90-110  110-126  126+ keV")
    for electrons, rayleigh in (("free", False), ("bound", False), ("free", True), ("bound", True)):
        found = fates(activity, medium, histories, 1, edges_kev=EDGES, electrons=electrons, rayleigh=rayleigh)
        name = f"{electrons}{' + coherent' if rayleigh else ''}"
        print_slab(name, found.unscattered, found.scattered)
        print(f"{'':26}{expn(2, 10 * per_cm(electrons, rayleigh)):.5f} by the exponential integral")
        theirs = goupil_slab(histories // 5, electrons, rayleigh)
        if theirs is not None:
            print_slab("  goupil", *theirs)
            print_slab(
                "  ratio",
                found.unscattered / theirs[0],
                found.scattered / theirs[1],
                total=found.scattered.sum() / theirs[1].sum(),
            )
    print_slab("bound totals, free angles", *mixed_slab(activity, medium, histories))


def print_slab(name: str, unscattered: float, scattered: Any, total: float | None = None) -> None:
    total = scattered.sum() if total is None else total
    print(f"{name:26}{unscattered:.5f}  {total:.5f}   " + "  ".join(f"{value:.5f}" for value in scattered))


def mixed_slab(activity: Field, medium: Medium, histories: int) -> tuple[float, Any]:
    """What the inconsistent mixture would let out."""
    tables = scatter_tables(medium, 140.511, 20.0, rayleigh=False)
    angular = tables.angular.copy()
    angular[:, :, 0] = 1
    body = transport.photon_body(medium, replace(tables, angular=angular))
    tally = np.zeros((16, 2 + len(EDGES) - 1))
    source = transport.photon_source(activity, medium.grid)
    transport._follow(body, source, histories, np.uint64(1), np.array(EDGES), tally)
    return tally[:, 1].sum() / histories, tally[:, 2:].sum(axis=0) / histories


def goupil_slab(many: int, electrons: str, rayleigh: bool) -> tuple[float, Any] | None:
    try:
        import goupil
    except ImportError:
        return None
    wide = (-1e6, 1e6)
    engine = goupil.TransportEngine(
        goupil.StratifiedGeometry(
            goupil.TopographyMap(wide, wide, z=10.0),
            goupil.GeometrySector("H2O", 1.0, "slab"),
            goupil.TopographyMap(wide, wide, z=-10.0),
        )
    )
    engine.settings.compton_model = "Klein-Nishina" if electrons == "free" else "Scattering Function"
    engine.settings.rayleigh = rayleigh
    engine.settings.energy_min = 0.020
    engine.random.seed = 7
    engine.compile()
    rng = np.random.default_rng(1)
    states = goupil.states(many)
    cosine, azimuth = rng.uniform(-1, 1, many), rng.uniform(0, 2 * np.pi, many)
    sine = np.sqrt(1 - cosine**2)
    directions = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
    states["energy"], states["position"], states["direction"] = 0.140511, 0.0, directions
    left = np.asarray(engine.transport(states)) == int(goupil.TransportStatus.EXIT)
    straight = left & (np.abs(states["direction"] - directions).max(axis=1) < 1e-9)
    return straight.mean(), np.histogram(1000 * states["energy"][left & ~straight], EDGES)[0] / many


@cache
@cache
def normal_patient(spacing_mm: float) -> SampledPatient:
    return sample_patient(packaged_scenario("normal").patient(1), spacing_mm)


def study(spacing_mm: float) -> dict[str, Any]:
    """A normal patient 3 h after injection, two heads of a whole-body scan 2 cm from the body."""
    sampled = normal_patient(spacing_mm)
    activity = sampled.activity(3.0, sampled.shares(3.0), sampled.weights(3.0))
    medium = sampled.medium()
    grid = medium.grid
    solid = medium.coefficients_per_cm([140.511]).sum(axis=0)[:, 0] > 0.01
    rows = solid[medium.material].any(axis=2)
    y = grid.origin_mm[1] + grid.spacing_mm[1] * np.arange(grid.shape[1])
    x = grid.origin_mm[0] + grid.spacing_mm[2] * (grid.shape[2] - 1) / 2
    middle = float(y.mean())
    back = np.where(rows, y, -np.inf).max(axis=1) - middle
    front = middle - np.where(rows, y, np.inf).min(axis=1)
    own = camera("symbia_lehr")
    return {
        "activity": activity,
        "medium": medium,
        "camera": own,
        "angles_deg": (0.0, 180.0),
        "face_mm": np.maximum(np.stack([back, front]), 40.0) + 20.0,
        "axis_mm": (x, middle),
        "windows_kev": (own.window_kev(15),),
    }


def analytic(given: dict[str, Any]) -> Any:
    projector = Projector(
        grid=given["medium"].grid, attenuation=given["medium"].attenuation(140.511), camera=given["camera"],
        angles_deg=given["angles_deg"], face_mm=given["face_mm"], axis_mm=given["axis_mm"],
        window_kev=given["windows_kev"][0],
    )  # fmt: skip
    return projector.forward(np.asarray(given["activity"].values))


def tiles(values: Any, lattice: Any) -> Any:
    """Sums over square regions, (view, row, column)."""
    many = [max(round(TILE_MM / step), 1) for step in lattice.spacing_mm]
    rows, columns = (n // k for n, k in zip(values.shape[1:], many, strict=True))
    part = values[:, : rows * many[0], : columns * many[1]]
    return part.reshape(len(values), rows, many[0], columns, many[1]).sum(axis=(2, 4))


def trunk() -> dict[str, Any]:
    """An elliptic trunk of muscle with a spine, 72 cm tall, activity in the middle 19 cm, 24 views all round.

    It is tall because of a short body more photons come out within a cone of directions than along its axis.
    """
    shape, spacing = (30, 34, 54), (24.0, 6.0, 6.0)
    x, y = ((np.arange(n) - (n - 1) / 2) * 6.0 for n in (shape[2], shape[1]))
    grid = Grid(shape=shape, spacing_mm=spacing, origin_mm=(x[0], y[0], 0.0))
    body, spine = (x / 150) ** 2 + (y[:, None] / 95) ** 2 <= 1, x**2 + (y[:, None] - 55) ** 2 <= 22**2
    material = np.where(spine, 2, body).astype(np.uint8)
    activity = np.zeros(shape, dtype=np.float32)
    activity[11:19] = np.where(spine, 20, body)
    activity[14:16, 8:11, 36:40] = 50
    own = camera("symbia_lehr")
    medium = Medium(
        grid=grid,
        material=np.repeat(material[None], shape[0], axis=0),
        materials=({}, {"muscle": 1.05}, {"mineral bone": 0.5, "red marrow": 0.76}),
    )
    return {
        "activity": Field(values=activity, grid=grid, unit="kBq/mL"),
        "medium": medium,
        "camera": own,
        "angles_deg": tuple(15.0 * k for k in range(24)),
        "face_mm": np.full((24, shape[0]), 200.0),
        "axis_mm": (0.0, 0.0),
        "windows_kev": (own.window_kev(15),),
        "pixel_mm": 6.0,
    }


def forced(histories: int) -> None:
    given = trunk()
    print(f"forced against analog, {histories:.0e} histories each, all views of a trunk; cone of 3 degrees")
    print("  (a wide cone counts photons whose way out is longer: of 5 degrees, 0.1 to 0.2 % of them)")
    for orders in ("scattered", "unscattered"):
        more: tuple[tuple[Any, int, dict[str, float]], ...] = (
            (scatter, 0, {}),
            (analog_scatter, 1000, {"cone_deg": 3.0}),
        )
        one = given | {"histories": histories // 20, "orders": orders}
        runs = [
            np.array([run(**one, **own, seed=first + k).values.sum() for k in range(20)]) for run, first, own in more
        ]
        error = np.hypot(*(run.std(ddof=1) / 20**0.5 / run.mean() for run in runs))
        ratio = runs[0].mean() / runs[1].mean()
        print(f"  {orders:12}{ratio:.4f} +- {error:.4f}: {(ratio - 1) / error:+.1f} standard errors")


def primary(histories: int, spacing_mm: float) -> None:
    given = study(spacing_mm)
    expected = analytic(given)
    for pixel in (spacing_mm, 7.0):
        found = scatter(**given, histories=histories, seed=1, orders="unscattered", pixel_mm=pixel).onto(
            expected.lattice
        )
        whole = found.values[0].sum(axis=(1, 2)) / expected.values.sum(axis=(1, 2))
        ours, theirs = (tiles(values, expected.lattice) for values in (found.values[0], expected.values))
        seen = theirs > 0.05 * theirs.max()
        off = (ours / np.where(seen, theirs, 1))[seen] - 1
        print(
            f"primary, pixels of {pixel:g} mm: whole views {np.round(whole, 4).tolist()}, {seen.sum()} regions of "
            f"{TILE_MM / 10:g} cm: rms {100 * (off**2).mean() ** 0.5:.2f} %, worst {100 * np.abs(off).max():.2f} %"
        )
        print(f"  planar regions, off by %: {by_region(found.values[0], expected, given)}")


def by_region(found: NDArray[np.floating], expected: Projections, given: dict[str, Any]) -> str:
    """How far the counts in each planar region of each view are off, in percent."""
    sampled, words = normal_patient(given["medium"].grid.spacing_mm[0]), []
    for k, angle in enumerate(expected.angles_deg):
        view = ViewName.ANTERIOR if angle == 180 else ViewName.POSTERIOR
        place = PlanarPlace(name=view, lattice=expected.lattice, axis_x_mm=given["axis_mm"][0])
        regions = region_map(sampled, place, bone_maps(sampled, place))
        off = {
            name: 100 * (found[k][regions == number].sum() / expected.values[k][regions == number].sum() - 1)
            for number, name in REGION_NAMES.items()
            if number and (regions == number).any()
        }
        words.append(f"{view.value}: " + ", ".join(f"{name} {value:+.1f}" for name, value in off.items()))
    return "; ".join(words)


def speed(spacing_mm: float) -> None:
    given = study(spacing_mm)
    scatter(**given, histories=1000, seed=1)
    start = time.perf_counter()
    scatter(**given, histories=1, seed=1)
    print(f"speed: {time.perf_counter() - start:.2f} s to prepare and to blur ({given['medium'].grid.shape} voxels)")
    from bonescan.camera import forced as module

    names = ("activity", "medium", "camera", "angles_deg", "face_mm", "axis_mm", "windows_kev")
    setting = module._prepare(*(given[name] for name in names), 1, 140.511, "bound", 7.0)
    for histories in (1_000_000, 4_000_000):
        walls, works = [], []
        for seed in range(4):
            wall, work = time.perf_counter(), time.process_time()
            setting.run(histories, seed, "scattered", 0.0)
            walls.append(time.perf_counter() - wall)
            works.append(time.process_time() - work)
        print(
            f"  {histories / 1e6:g} M forced-detection histories: {histories / min(walls) / 1e6:.2f} M/s by the clock, "
            f"{histories / min(works) / 1e6:.2f} M/s and core by the work done (best of 4)"
        )


def ratio(histories: int, spacing_mm: float) -> None:
    given = study(spacing_mm)
    found = scatter(**given, histories=histories, seed=1)
    straight = scatter(**given, histories=histories, seed=1, orders="unscattered")
    for window in (15.0, 20.0):
        wide = given | {"windows_kev": (given["camera"].window_kev(window),)}
        sums = [
            scatter(**wide, histories=histories // 4, seed=1, orders=o).values.sum(axis=(0, 2, 3))
            for o in ("scattered", "unscattered")
        ]
        back, front = sums[0] / sums[1]
        print(f"scatter over primary, {window:g} % window: posterior {back:.3f}, anterior {front:.3f}")
    z = found.lattice.z_mm
    feet, top = z.min(), z.max()
    for name, low, high in (
        ("head", 0.88, 1.0),
        ("chest", 0.70, 0.82),
        ("pelvis", 0.48, 0.58),
        ("thighs", 0.30, 0.45),
        ("legs", 0.05, 0.25),
    ):
        part = (z >= feet + low * (top - feet)) & (z < feet + high * (top - feet))
        own = found.values[0][:, part].sum(axis=(1, 2)) / straight.values[0][:, part].sum(axis=(1, 2))
        print(f"  {name:8} posterior {own[0]:.3f}, anterior {own[1]:.3f}")


def noise(spacing_mm: float) -> None:
    given = study(spacing_mm)
    expected = analytic(given)
    print("noise of scatter, percent of all a pixel counts, rms over the pixels that hold so much of all counts")
    print("  histories   seconds     50 %     80 %     95 %   (8 seeds)")
    for histories in (500_000, 1_000_000, 2_000_000, 4_000_000):
        start = time.perf_counter()
        runs = np.array(
            [scatter(**given, histories=histories, seed=seed).onto(expected.lattice).values[0] for seed in range(8)]
        )
        seconds = (time.perf_counter() - start) / 8
        total = np.asarray(expected.values) + runs.mean(axis=0)
        order = np.sort(total.ravel())[::-1]
        held = np.cumsum(order) / order.sum()
        line = ""
        for share in (0.5, 0.8, 0.95):
            seen = total >= order[np.searchsorted(held, share)]
            line += f"{100 * ((runs.std(axis=0, ddof=1)[seen] / total[seen]) ** 2).mean() ** 0.5:8.2f} "
        print(f"  {histories:9} {seconds:9.2f} {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ("sphere", "slab", "forced", "primary", "speed", "ratio", "noise")
    parser.add_argument("what", nargs="*", default=every, metavar="WHAT", help=", ".join(every))
    parser.add_argument("--spacing", type=float, default=4.0, help="mm, of the patient's voxels")
    parser.add_argument("--histories", type=float, default=1e7)
    options = parser.parse_args()
    many, spacing = int(options.histories), options.spacing
    for what in options.what:
        if what not in every:
            parser.error(f"there is no {what!r}; known are {', '.join(every)}")
        if what in ("sphere", "slab", "forced"):
            globals()[what](many)
        elif what in ("speed", "noise"):
            globals()[what](spacing)
        else:
            globals()[what](many, spacing)


if __name__ == "__main__":
    main()
