"""The gamma camera: collimator, crystal and protocols turn activity and attenuation into the counts of a scan."""

from bonescan.camera.cameras import CAMERAS, Camera, Collimator, Crystal, camera
from bonescan.camera.projections import Lattice, Projections

__all__ = ["CAMERAS", "Camera", "Collimator", "Crystal", "Lattice", "Projections", "camera"]
