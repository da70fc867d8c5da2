"""What can differ in a patient: lesions by family, their places in bones, and what misleads the reader."""

from bonescan.patient.lesions.lesion import Lesion, LesionKind, Nature

__all__ = ["Lesion", "LesionKind", "Nature"]
