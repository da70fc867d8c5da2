"""The gamma camera: collimator, crystal and protocols turn activity and attenuation into the counts of a scan."""

from bonescan.camera.acquisition import Facts, Placement, WholeBodyModel, draw_placement, whole_body_model
from bonescan.camera.cameras import CAMERAS, Camera, Collimator, Crystal, camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.faults import NO_FAULTS, DeadTime, DeadTube, Faults, Flood
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.protocols import PROTOCOLS, Flow, Pool, Spot, ThreePhase, Tomography, WholeBody, protocol
from bonescan.camera.stills import FilmModel, SpotModel, film_model, spot_model
from bonescan.camera.tomography import TomographicModel, tomographic_model

__all__ = [
    "CAMERAS",
    "NO_FAULTS",
    "PROTOCOLS",
    "Camera",
    "Collimator",
    "Crystal",
    "DeadTime",
    "DeadTube",
    "Emitter",
    "Facts",
    "Faults",
    "FilmModel",
    "Flood",
    "Flow",
    "Lattice",
    "Placement",
    "Pool",
    "Projections",
    "Spot",
    "SpotModel",
    "ThreePhase",
    "TomographicModel",
    "Tomography",
    "WholeBody",
    "WholeBodyModel",
    "camera",
    "draw_placement",
    "film_model",
    "protocol",
    "spot_model",
    "tomographic_model",
    "whole_body_model",
]
