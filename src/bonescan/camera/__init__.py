"""The gamma camera: collimator, crystal and protocols turn activity and attenuation into the counts of a scan."""

from bonescan.camera.projections import Lattice, Projections

__all__ = ["Lattice", "Projections"]
