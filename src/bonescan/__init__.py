"""bonescan: the whole bone scan, from the syringe to the signed report.

Research software. Not a medical device; never the only basis of a decision.
"""

__version__ = "0.1.0"
