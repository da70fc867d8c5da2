"""The response by area: the lesions' summed area (BSLA) against its published limit of 30 %, and what it proves not.

Constants carry their source: [V] read in a source, [M] recalled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bonescan.measurement import Measurement

__all__ = ["AreaCall", "AreaResponse", "area_response"]

_AREA_PERCENT = 30.0  # response of the area: Brown 2012 and Lee 2013 [V]; the same limit for a rise [M]
_AREA_SOURCE = "Brown et al. 2012; Lee et al. 2013, PMC3684567"


class AreaCall(StrEnum):
    """How the lesions' area changed, against the published limit of 30 %."""

    FELL = "fell by 30 % or more"
    ROSE = "rose by 30 % or more"
    WITHIN = "within 30 %"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaResponse:
    """The change of the lesions' area between two scans.

    Parameters
    ----------
    change_percent : Measurement
        Of the prior area; absent with its reason.
    call : AreaCall
    text : str
        With what it does not prove.
    source : str
    """

    change_percent: Measurement
    call: AreaCall
    text: str
    source: str = _AREA_SOURCE


def area_response(prior_mm2: Measurement, current_mm2: Measurement, *, not_comparable: str = "") -> AreaResponse:
    """Judge the change of the bone scan lesion area against the published limit of 30 %.

    Parameters
    ----------
    prior_mm2, current_mm2 : Measurement
        Summed area of the lesions of a scan, both views.
    not_comparable : str, optional
        Why the areas cannot be compared, a sentence; empty where they can.

    Returns
    -------
    AreaResponse

    Notes
    -----
    ``change = 100 * (current - prior) / prior`` percent, and independent uncertainties add up as
    ``100 * current / prior * sqrt((s_p / prior)^2 + (s_c / current)^2)``. A fall of 30 % or more is the published
    response of the area (BSLA). It is no proof of benefit: in COMET-1 42 % of those treated with cabozantinib had it
    and 3 % of the others, and they lived no longer (11.0 and 9.8 months, p = 0.21; Smith et al., J Clin Oncol 2016).

    References
    ----------
    Brown MS et al. 2012 (computer-aided bone scan assessment). Lee RJ et al. 2013, PMC3684567.

    Examples
    --------
    >>> area = [Measurement(value=mm2, unit="mm2", method="area") for mm2 in (2000.0, 1000.0)]
    >>> str(area_response(*area).call)
    'fell by 30 % or more'
    """
    method = "change of the bone scan lesion area"
    prior, current = prior_mm2.value, current_mm2.value
    absent = not_comparable or prior_mm2.absent_reason or current_mm2.absent_reason
    if not absent and not prior:
        absent = "The prior scan has no lesion area, so there is no change in percent."
    if absent or prior is None or current is None:
        change = Measurement(value=None, unit="%", method=method, source=_AREA_SOURCE, absent_reason=absent)
        return AreaResponse(change_percent=change, call=AreaCall.NOT_JUDGED, text=f"Lesion area: {absent}")
    percent = 100 * (current - prior) / prior
    spread = None
    if prior_mm2.uncertainty is not None and current_mm2.uncertainty is not None:
        spread = 100 * ((prior_mm2.uncertainty * current / prior) ** 2 + current_mm2.uncertainty**2) ** 0.5 / prior
    change = Measurement(value=percent, unit="%", uncertainty=spread, method=method, source=_AREA_SOURCE)
    if percent <= -_AREA_PERCENT:
        return AreaResponse(
            change_percent=change,
            call=AreaCall.FELL,
            text=f"The area of the lesions fell by {-percent:.0f} %, beyond the 30 % that trials call a response of "
            "the area. A smaller area is no proof of benefit: in COMET-1 42 % against 3 % had it, and lived no longer.",
        )
    if percent >= _AREA_PERCENT:
        return AreaResponse(
            change_percent=change,
            call=AreaCall.ROSE,
            text=f"The area of the lesions rose by {percent:.0f} %, beyond the limit of 30 %. Area alone is no "
            "progression: healing lesions may brighten and widen for months (flare), and PCWG3 counts new lesions.",
        )
    return AreaResponse(
        change_percent=change,
        call=AreaCall.WITHIN,
        text=f"The area of the lesions changed by {percent:+.0f} %, within the limit of 30 %.",
    )
