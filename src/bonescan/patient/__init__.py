"""The digital patient: a body with organs, tracer, lesions and what misleads, and the truth about them."""

from bonescan.patient.focus import Focus
from bonescan.patient.person import Person, draw_person
from bonescan.patient.volumes import Lesion, Patient, Truth, Volumes

__all__ = ["Focus", "Lesion", "Patient", "Person", "Truth", "Volumes", "draw_person"]
