"""Prints where the tracer goes hour by hour, and how far kinetics and doses lie from published figures.

Run: PYTHONPATH=src python bench/kinetics_figures.py
"""

from __future__ import annotations

import time

import numpy as np

from bonescan.tracer import (
    RADIOPHARMACEUTICALS,
    Physiology,
    absorbed_dose,
    bladder_residence_h,
    days_of_background,
    draw_physiology,
    kinetics,
    label_bladder_wall_mgy,
    radiopharmaceutical,
)

HOURS = (1 / 60, 0.05, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 12, 24, 48)
SHOWN = ("blood", "soft_tissue", "bone", "kidneys", "bladder", "voided")
MDP, HDP, DPD = (radiopharmaceutical(f"Tc-99m {name}") for name in ("MDP", "HDP", "DPD"))
MIRD11_S = 1.6e-4 * 10 / 0.037  # mGy/(MBq h): 1.6e-4 rad/(uCi h), bladder content to wall, recalled


def corrected(tracer, physiology: Physiology, hour: float) -> dict[str, float]:
    """Shares in percent of the injection, corrected for decay."""
    shares = kinetics(tracer, physiology).shares(hour)
    return {name: 100 * share / tracer.nuclide.remaining(hour) for name, share in shares.items()}


def print_curves() -> None:
    physiology = Physiology(voids_h=(3.0, 6.0, 12.0, 24.0, 48.0))
    for name in RADIOPHARMACEUTICALS:
        print(f"\n{name}, default adult, voids at 3, 6, 12, 24, 48 h: percent of injected, decay corrected")
        print(f"{'hour':>7}" + "".join(f"{column:>13}" for column in SHOWN) + f"{'retention':>13}")
        for hour in HOURS:
            shares = corrected(radiopharmaceutical(name), physiology, hour)
            retention = 100 * kinetics(radiopharmaceutical(name), physiology).retention(hour)
            print(f"{hour:7.2f}" + "".join(f"{shares[column]:13.2f}" for column in SHOWN) + f"{retention:13.2f}")


def print_first_pass() -> None:
    way = kinetics(MDP, Physiology())
    regions = list(way.first_pass(0))
    print("\nFirst pass: percent of the injection in the blood of each region")
    print(f"{'second':>7}" + "".join(f"{region:>12}" for region in regions))
    for second in (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30, 45, 60):
        shares = way.first_pass(second)
        print(f"{second:7d}" + "".join(f"{100 * shares[region]:12.2f}" for region in regions))


def print_published() -> None:
    adult = Physiology(voids_h=(3.0,))
    at_3, at_6, at_24 = (corrected(MDP, adult, hour) for hour in (3, 6, 24))
    start = corrected(MDP, adult, 0.05)
    soft = (at_6["blood"] + at_6["soft_tissue"]) / (start["blood"] + start["soft_tissue"])
    bone = [corrected(MDP, adult, hour)["bone"] for hour in (3, 4, 5, 6, 8, 12, 18, 24)]
    diseased = corrected(HDP, Physiology(bone_turnover=2.8), 3.5)["bone"]
    ratios = [(1 - kinetics(MDP, adult).retention(h)) / (1 - kinetics(DPD, adult).retention(h)) for h in (6, 24)]
    urine = [corrected(HDP, Physiology(voids_h=()), hour)["bladder"] for hour in (1, 2, 6)]
    rng = np.random.default_rng(1)
    people = [draw_physiology(rng, sex="male", age_years=30, mass_kg=73) for _ in range(1000)]
    drawn = np.array([100 * kinetics(MDP, person).retention(24) for person in people])
    rows = (
        ("whole-body retention at 24 h, MDP", f"{100 * kinetics(MDP, adult).retention(24):.1f} %", "31.0 +/- 2.4 %"),
        ("the same, HDP", f"{100 * kinetics(HDP, adult).retention(24):.1f} %", "36.6 % [M]"),
        ("the same, DPD", f"{100 * kinetics(DPD, adult).retention(24):.1f} %", "none found"),
        ("urine at 1, 2, 6 h, HDP", ", ".join(f"{share:.0f}" for share in urine) + " %", "30, 48, 60 %"),
        ("urine MDP over DPD at 6 and 24 h", f"{ratios[0]:.2f}, {ratios[1]:.2f}", "1.25"),
        ("bone from 3 to 24 h, MDP", f"{min(bone):.1f} to {max(bone):.1f} %", "27 % (24.1 women, 26.9 men), stable"),
        ("bone at 3 h and 24 h, ICRP 53 model", f"{at_3['bone']:.1f}, {at_24['bone']:.1f} %", "39, 28 %: not followed"),
        ("soft tissue at 6 h over 3 min", f"{100 * soft:.1f} %", "14 %"),
        ("kidneys + bladder after voiding at 3 h", f"{at_3['kidneys'] + at_3['bladder']:.2f} %", "about 1 %"),
        ("bone in metabolic disease (turnover 2.8)", f"{diseased:.1f} %", "48 %"),
        (
            "retention between people, 1,000 drawn",
            f"{drawn.mean():.1f} +/- {drawn.std():.1f} %",
            "+/- 12 % of it (HEDP)",
        ),
    )
    print(f"\n{'figure':<44}{'ours':<20}published")
    for what, ours, published in rows:
        print(f"{what:<44}{ours:<20}{published}")


def print_states() -> None:
    print("\nAt 3 h after voiding, percent of injected, decay corrected (MDP)")
    print(f"{'':<34}" + "".join(f"{column:>13}" for column in SHOWN))
    for name, changed in (
        ("normal", {}),
        ("GFR 30 ml/min", {"gfr_ml_per_min": 30.0}),
        ("GFR 5 ml/min", {"gfr_ml_per_min": 5.0}),
        ("metabolic disease, turnover 2.8", {"bone_turnover": 2.8}),
        ("superscan, turnover 8", {"bone_turnover": 8.0}),
        ("10 % beside the vein", {"extravasated_fraction": 0.1}),
        ("boy of 10, 32 kg, GFR 68", {"age_years": 10.0, "mass_kg": 32.0, "gfr_ml_per_min": 68.0}),
    ):
        shares = corrected(MDP, Physiology(voids_h=(3.0,), **changed), 3.0)
        print(f"{name:<34}" + "".join(f"{shares[column]:13.2f}" for column in SHOWN))


def print_conservation() -> None:
    rng = np.random.default_rng(2)
    worst = 0.0
    for _ in range(200):
        person = draw_physiology(rng, sex="female", age_years=60, mass_kg=70)
        way = kinetics(MDP, person)
        times = [*rng.uniform(0, 48, 10), *person.voids_h, *(void - 1e-9 for void in person.voids_h)]
        worst = max(worst, *(abs(1 - sum(way.shares(hour).values())) for hour in times))
    print(f"\nLargest |1 - sum of shares| over 200 people and their voids: {worst:.1e} (promised 1e-9)")


def print_doses() -> None:
    print(
        "\nEffective dose, mSv/MBq: "
        + ", ".join(
            f"{absorbed_dose(MDP, 1, age_years=age).effective_msv.value:.4f} ({age} y)" for age in (40, 15, 10, 5, 1)
        )
    )
    print("\nAdult's bladder wall, mGy per 740 MBq of MDP")
    print(
        f"{'void every':>12}{'residence h':>13}{'MIRD 11 S [M]':>15}{'label S':>10}{'ICRP S':>10}"
        f"{'label':>8}{'mSv/MBq':>10}"
    )
    for hours, label in ((1.0, ""), (2.0, "26"), (3.5, ""), (4.8, "62"), (6.0, "")):
        residence = bladder_residence_h(MDP, hours)
        dose = absorbed_dose(MDP, 740, age_years=40, voiding_interval_h=hours)
        print(
            f"{hours:10.1f} h{residence:13.3f}{740 * MIRD11_S * residence:15.1f}"
            f"{label_bladder_wall_mgy(740, hours).value:10.1f}{dose.bladder_wall_mgy.value:10.1f}{label:>8}"
            f"{dose.effective_msv.value / 740:10.5f}"
        )
    ratio = bladder_residence_h(MDP, 4.8) / bladder_residence_h(MDP, 2.0)
    print(f"ratio 4.8 h over 2 h from the kinetics: {ratio:.3f}, label {62 / 26:.3f}")
    dose = absorbed_dose(MDP, 500, age_years=40).effective_msv.value
    print(f"500 MBq: {dose:.2f} mSv, {days_of_background(dose).value:.0f} days of natural background")


def print_speed() -> None:
    start = time.perf_counter()
    for _ in range(200):
        kinetics(MDP, Physiology()).shares(3.0)
    print(f"\nkinetics() and shares(): {(time.perf_counter() - start) * 5:.2f} ms")


def main() -> None:
    print_curves()
    print_first_pass()
    print_published()
    print_states()
    print_conservation()
    print_doses()
    print_speed()


if __name__ == "__main__":
    main()
