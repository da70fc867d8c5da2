"""The first way of a bolus round the circulation: which region's blood holds it, second by second."""

from __future__ import annotations

from bonescan.anatomy.tables import rows

__all__ = ["ARRIVAL_S", "BLOOD_REGIONS", "REFERENCE_OUTPUT_L_PER_MIN", "blood_shares"]

REFERENCE_OUTPUT_L_PER_MIN = 6.0
"""Cardiac output at which the times of ``data/circulation.csv`` hold; design."""

ARRIVAL_S = 11.2
"""Seconds from an arm vein to the femoral artery at that output: NaI-131 in normal men, read in an abstract."""

_REGIONS = tuple(rows("circulation", "tracer"))
_CENTRAL, _BODY = _REGIONS[:4], _REGIONS[4:]
BLOOD_REGIONS = tuple(row["region"] for row in _REGIONS)
"""Regions in the order the blood meets them."""

# One scale for all vessels, in seconds. Transits of leg arteries spread by 18 % of their mean [V, PMC2978656], as a
# mean of 15 s does with this scale.
_VESSEL_S = 0.5


def blood_shares(time_s: float, cardiac_output_l_per_min: float = REFERENCE_OUTPUT_L_PER_MIN) -> dict[str, float]:
    """How what is in blood is shared out between regions after a sharp injection into an arm vein.

    Parameters
    ----------
    time_s : float
        Seconds after the injection, at least 0.
    cardiac_output_l_per_min : float
        Positive; all times scale with its inverse.

    Returns
    -------
    dict of str to float
        By `BLOOD_REGIONS`, summing to 1. Arteries on the way to a region count as ``"left_heart"``.

    Notes
    -----
    A bolus passes arm vein, right heart, lungs and left heart in turn, then the body's regions side by side, each with
    its share of the flow, and is then mixed into all blood. Transit times are gamma distributed with one scale
    b = 0.5 s for all vessels: the share that has passed a mean time m is the regularised incomplete gamma function
    P(m / b, t / b), transits in a row add exactly, and no share can be negative: ::

        region's share = flow [P(m_in) - P(m_out)] + blood volume x sum over regions of flow x P(m_out)
    """
    from scipy.special import gammainc

    slower = REFERENCE_OUTPUT_L_PER_MIN / cardiac_output_l_per_min

    def passed(mean_s: float) -> float:
        return float(gammainc(mean_s / _VESSEL_S, time_s / (_VESSEL_S * slower)))

    shares: dict[str, float] = {}
    mean_s, entered = 0.0, 1.0
    for row in _CENTRAL:
        mean_s += float(row["transit_s"])
        left = passed(mean_s)
        shares[row["region"]] = entered - left
        entered = left
    mixed = 0.0
    for row in _BODY:
        flow, arrival_s = float(row["flow"]), mean_s + float(row["delay_s"])
        arrived, left = passed(arrival_s), passed(arrival_s + float(row["transit_s"]))
        shares[row["region"]] = flow * (arrived - left)
        shares["left_heart"] += flow * (entered - arrived)
        mixed += flow * left
    return {row["region"]: shares[row["region"]] + mixed * float(row["blood"]) for row in _REGIONS}
