"""What a department may choose of its workstation: where it listens, by which names, over TLS, for how long.

::

    # bonescan.toml, in the archive's folder; every line may be left out
    [http]
    host = "0.0.0.0"
    port = 8443
    names = ["bonescan.hospital.example"]

    [http.tls]
    certificate = "workstation.crt"
    key = "workstation.key"

    [http.oidc]
    issuer = "https://login.hospital.example/realms/staff"
    client_id = "bonescan"

    [http.oidc.roles]
    "nuclear medicine physicians" = "physician"
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bonescan.errors import InvalidValue, UnknownSetting, UnreadableInput

__all__ = ["SECRET_VARIABLE", "HttpSettings", "ProviderSettings", "load_http_settings"]

SECRET_VARIABLE = "BONESCAN_OIDC_SECRET"
"""Environment variable with the client's secret, before the one in bonescan.toml: it needs no file then."""

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """The hospital's own sign-in, over OpenID Connect.

    Parameters
    ----------
    issuer : str
        As the provider calls itself; its discovery document lies below. https, but on this machine.
    client_id, client_secret : str
        How the provider knows bonescan; the secret is empty for a public client.
    roles : tuple of (str, str)
        Groups and the role that each gives; of several the first that is listed.
    role_claim : str
        Where the ID token says the groups; a point leads into an object.
    name_claim : str
        Where it says the name that is shown and kept in the audit trail.
    scopes : tuple of str
        Asked for besides ``openid``.
    button : str
        What stands on the button of the sign-in page.

    Raises
    ------
    InvalidValue
        For an address that is not encrypted, and for no or unknown roles.
    """

    issuer: str
    client_id: str
    client_secret: str = ""
    roles: tuple[tuple[str, str], ...]
    role_claim: str = "groups"
    name_claim: str = "preferred_username"
    scopes: tuple[str, ...] = ("profile",)
    button: str = "Sign in with your hospital account"

    def __post_init__(self) -> None:
        from bonescan.workstation.people import Role

        parts = urlsplit(self.issuer)
        on_this_machine = parts.scheme == "http" and parts.hostname in _LOOPBACK_NAMES
        if not parts.hostname or not (parts.scheme == "https" or on_this_machine):
            raise InvalidValue(f"issuer in [http.oidc] must be an https address, got {self.issuer!r}.", got=self.issuer)
        if not self.client_id or not self.roles:
            raise InvalidValue("[http.oidc] needs a client_id, and [http.oidc.roles] at least one group with a role.")
        for group, role in self.roles:
            if role not in list(Role):
                raise InvalidValue(
                    f"[http.oidc.roles] gives {group!r} the role {role!r}; there are {', '.join(Role)}.", got=role
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The workstation's set-up.

    Parameters
    ----------
    host : str
        Address to listen on; only this machine by default.
    port : int
        0 takes any free one.
    names : tuple of str
        Host names and addresses by which browsers reach it, besides those of this machine; any other is refused.
    certificate, key : Path or None
        PEM files; with both, everything is encrypted (TLS 1.2 or later).
    proxies : tuple of str
        Addresses (or networks) of reverse proxies that are believed when they say who calls, and that they speak TLS.
    metrics_token : str
        With it, /metrics answers whoever shows it; without, only callers from this machine that no proxy stands before.
    idle_min : float
        A sign-in ends when nobody used it for so long. [D] 30, as NIST SP 800-63B asks at its second level [M].
    longest_h : float
        It ends after so long in any case. [D] 12, by the same.
    connections_per_address : int
        Open at one time from one address, but a proxy's; one more is closed at once. [D] 64: ten browsers.
    provider : ProviderSettings or None
        The hospital's own sign-in, besides names and passwords.

    Raises
    ------
    InvalidValue
        For a value out of range, and for passwords that would travel unencrypted.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()
    metrics_token: str = ""
    idle_min: float = 30.0
    longest_h: float = 12.0
    connections_per_address: int = 64
    provider: ProviderSettings | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidValue(f"The workstation's port must lie between 0 and 65535, got {self.port}.", got=self.port)
        for name in ("idle_min", "longest_h", "connections_per_address"):
            if not getattr(self, name) > 0:
                raise InvalidValue(f"{name} is {getattr(self, name)} and must be above 0.", got=getattr(self, name))
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise InvalidValue(f"{proxy!r} in proxies is no address and no network; name 10.0.0.1.") from error
        if (self.certificate is None) != (self.key is None):
            raise InvalidValue("TLS needs both certificate and key; [http.tls] names only one.")
        if 0 < len(self.metrics_token) < 16:
            raise InvalidValue("metrics_token must have at least 16 characters; choose a random one.")
        if not (self.encrypted or self.proxies or self.loopback):
            raise InvalidValue(
                f"Listening on {self.host} would send passwords and patients unencrypted; name certificate and key in "
                "[http.tls], or the reverse proxy that encrypts in proxies.",
                host=self.host,
            )

    @property
    def encrypted(self) -> bool:
        """Whether the workstation itself speaks TLS."""
        return self.certificate is not None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that a browser may ask for, in small letters."""
        return frozenset(name.lower().strip("[]").rstrip(".") for name in (*_LOOPBACK_NAMES, *self.names))


def load_http_settings(path: Path, environment: Mapping[str, str] = os.environ) -> HttpSettings:
    """Read the table ``[http]`` of a settings file.

    Parameters
    ----------
    path : Path
        Paths within it count from its folder. Where there is no such file, everything is as `HttpSettings` has it.
    environment : mapping of str to str
        Where `SECRET_VARIABLE` is looked for.

    Returns
    -------
    HttpSettings

    Raises
    ------
    UnreadableInput
        For a file that is no TOML.
    InvalidValue
        For an unknown name, or a value of the wrong type or out of range.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8")).get("http", {}) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableInput(f"{path.name} cannot be understood: {error}.") from error
    if not isinstance(written, dict):
        raise InvalidValue(f"http in {path.name} must be a table.")
    tls = written.pop("tls", {})
    if not isinstance(tls, dict):
        raise InvalidValue(f"http.tls in {path.name} must be a table.")
    for name in tls:
        if name not in ("certificate", "key"):
            raise UnknownSetting(name, "[http.tls]", ("certificate", "key"))
    values: dict[str, Any] = {name: _as_path(path, value) for name, value in tls.items()}
    if (provider := written.pop("oidc", None)) is not None:
        values["provider"] = _provider(provider, environment)
    apart = ("certificate", "key", "provider")
    types = {one.name: type(one.default) for one in fields(HttpSettings) if one.name not in apart}
    for name, value in written.items():
        if name not in types:
            raise UnknownSetting(name, "[http]", ("tls", "oidc", *types))
        values[name] = _as(types[name], "[http]", name, value)
    return HttpSettings(**values)


def _provider(written: object, environment: Mapping[str, str]) -> ProviderSettings:
    if not isinstance(written, dict):
        raise InvalidValue("http.oidc must be a table.")
    known = {one.name: one.default for one in fields(ProviderSettings)}
    values: dict[str, Any] = {}
    for name, value in written.items():
        if name not in known:
            raise UnknownSetting(name, "[http.oidc]", known)
        if name == "roles":
            if not isinstance(value, dict) or not all(isinstance(role, str) for role in value.values()):
                raise InvalidValue("[http.oidc.roles] names a role for each group.")
            values[name] = tuple(value.items())
        else:
            values[name] = _as(str if known[name] is MISSING else type(known[name]), "[http.oidc]", name, value)
    if missing := [name for name, default in known.items() if default is MISSING and name not in values]:
        raise InvalidValue(f"[http.oidc] lacks {', '.join(missing)}.", missing=missing)
    if environment.get(SECRET_VARIABLE):
        values["client_secret"] = environment[SECRET_VARIABLE]
    return ProviderSettings(**values)


def _as_path(settings: Path, value: object) -> Path:
    if not isinstance(value, str):
        raise InvalidValue("certificate and key in [http.tls] are names of files.")
    return settings.parent / value


def _as(wanted: type, where: str, name: str, value: object) -> object:
    if wanted is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if wanted in (int, str) and type(value) is wanted:
        return value
    raise InvalidValue(f"{name} in {where} is of the wrong type.", name=name)
