"""The web reading room: who may come in, the worklist, studies with their counts and readings; it measures nothing."""

from bonescan.workstation.app import Workstation
from bonescan.workstation.people import RIGHTS, Right, Role
from bonescan.workstation.serving import Served, serve
from bonescan.workstation.settings import HttpSettings, ProviderSettings, load_http_settings

__all__ = [
    "RIGHTS",
    "HttpSettings",
    "ProviderSettings",
    "Right",
    "Role",
    "Served",
    "Workstation",
    "load_http_settings",
    "serve",
]
