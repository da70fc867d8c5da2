"""bonescan: the whole bone scan, from the syringe to the signed report.

Research software. Not a medical device; never the only basis of a decision.
"""

import os

__version__ = "0.1.0"

# onnxruntime 1.29 and later keeps an identifier of the machine in the user's home and sends its maker which network ran
# where, unless this is set before it is loaded. What runs in a hospital calls nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
