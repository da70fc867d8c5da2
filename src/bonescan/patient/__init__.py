"""The digital patient: a body with organs, tracer, lesions and what misleads, and the truth about them."""

from bonescan.patient.focus import Focus

__all__ = ["Focus"]
