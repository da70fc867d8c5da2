"""Read one scan: label, check, find, sum up; and say by what method."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import bonescan
from bonescan.reading import network
from bonescan.reading.case import Case
from bonescan.reading.model import Reading
from bonescan.scan import Scan

__all__ = ["read", "read_case"]

METHOD = {
    "labels": "jointed skeleton fitted to all views jointly, residual B-spline warp, region outlines by rule",
    "normal": "robust levels along each bone and over its region, mirrored side; Poisson noise with estimated gain",
    "spots": "matched filters at several scales against normal uptake; threshold by false-alarm rate per view",
    "natures": "weights of evidence on what a reader would name, in company of the others, fitted on simulated people",
    "burden": "sum over bones of mass share times involved fraction of projected bone; both views counted once",
    "impression": "patterns by rules over measured signs of the whole scan, weights by design (patterns.toml)",
}
LEARNED = {
    "labels": "jointed skeleton fitted to all views jointly, begun and weighed with a network's regions",
    "spots": "matched filters against normal uptake, and a network's maps of foci; both weighed as evidence",
    "burden": "mass of each finding that counts, by the bone outlined and a network's map of the metastatic share",
    "network": "seen simulated people alone, see the model card",
}
"""What differs where a network looks too."""


def read(scan: Scan, *, learned: bool = True, progress: Callable[[str], None] = lambda _: None) -> Reading:
    """Everything bonescan says about one scan.

    Parameters
    ----------
    scan : Scan
    learned : bool
        Whether the network may look too, where it is installed; else the model-based reader alone.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    Reading
        Labels that are not trusted, and figures that quality withholds, are
        marked so; nothing is left out silently.
    """
    return read_case(scan, learned=learned, progress=progress).reading


def read_case(scan: Scan, *, learned: bool = True, progress: Callable[[str], None] = lambda _: None) -> Case:
    """Read one scan, and keep what a physician's edits of the reading need.

    Parameters
    ----------
    scan : Scan
    learned : bool
    progress : callable
        As for `read`.

    Returns
    -------
    Case
    """
    with ThreadPoolExecutor(1) as pool:  # the network looks while the room's compiled loops are loaded
        looking = pool.submit(network.look, scan) if learned else None
        from bonescan.reading.conclusion import impression
        from bonescan.reading.findings import natures, spots
        from bonescan.reading.labels import label
        from bonescan.reading.measures import burden, quality

        glance = looking.result() if looking else None
    labels = label(scan, glance, progress)

    progress("looking for hot and cold spots")
    findings = natures.judge(spots.find(scan, labels, glance), scan, labels, glance)
    findings = spots.believed(findings, labels)
    progress("checking image quality")
    checked = quality.assess(scan, labels, findings, with_network=glance is not None)
    progress("summing up the burden")
    summed = burden.measure(scan, labels, findings, checked, glance=glance)
    progress("drawing the impression")
    familiarity = None if glance is None else network.familiarity(glance)
    likelihood = natures.patient_likelihood(findings, with_network=glance is not None)
    concluded = impression.conclude(scan, labels, checked, findings, summed, glance, familiarity, likelihood)
    reading = Reading(
        scan=scan,
        labels=labels,
        quality=checked,
        findings=findings,
        burden=summed,
        remarks=scan.remarks + labels.remarks,
        method=METHOD if glance is None else METHOD | LEARNED,
        versions={
            "bonescan": bonescan.__version__,
            "mass_table": summed.mass_table,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "numba")},
            **({} if glance is None else _of_network()),
        },
        impression=concluded,
        familiarity=familiarity,
    )
    return Case(reading=reading, glance=glance)


def _of_network() -> dict[str, str]:
    return {"network": (network.weights_digest() or "")[:12], "onnxruntime": version("onnxruntime")}
