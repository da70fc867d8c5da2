"""Sign-in at the hospital's own provider: OpenID Connect's authorization code flow, with PKCE, state and nonce.

::

    begin   state, nonce, verifier ─► sealed with a key of this process: the browser's cookie, good for ten minutes
            ─► provider's page, with state, nonce and SHA-256(verifier)
    end     the cookie is ours and its state is the answer's, for the first time ─► code and verifier ─► ID token
            ─► signature by one of the provider's keys, issuer, audience, times, nonce; authentication's age when asked
            ─► who somebody is there, under which name, and the role that the settings give to their groups

What waits is with the browser and nothing of it here: who begins sign-ins without number ends nobody else's. Each that
waits has a cookie of its own, so that two tabs do not push each other's out. Nobody
comes in without a role in the settings. The ID token alone is believed, and only with a signature by an asymmetric key
that the provider publishes.

References
----------
OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636 (PKCE); RFC 9207 (issuer in the answer); RFC 9700 [M].
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2 as httpx
import jwt
from cryptography.fernet import Fernet, InvalidToken

from bonescan.workstation.people import Role
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.settings import ProviderSettings

__all__ = ["Begun", "Identity", "Provider"]

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_S = 60.0
_PENDING_S = 600.0
_DISCOVERED_S = 3600.0
_KEYS_AGAIN_S = 60.0
_TIMEOUT_S = 10.0
_MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that waits for the provider's answer.

    Parameters
    ----------
    state, nonce, verifier : str
        What ties the answer to this request, the ID token to it, and the code to us.
    redirect : str
        Where the provider sends the browser back to.
    onward : str
        Path of our own page that was wanted.
    again : str
        Token of the session whose owner is to prove again who they are; empty for a sign-in.
    began_s : float
        Seconds since 1970.
    """

    state: str
    nonce: str
    verifier: str
    redirect: str
    onward: str
    again: str
    began_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, as the provider says.

    Parameters
    ----------
    issuer, subject : str
        Both together never change and never mean somebody else.
    name : str
    role : Role
    """

    issuer: str
    subject: str
    name: str
    role: Role


@dataclass(slots=True)
class _Known:
    """What the provider says of itself, and when it was asked."""

    document: Mapping[str, Any] = field(default_factory=dict)
    asked_s: float = -_DISCOVERED_S
    keys: Mapping[str, Any] = field(default_factory=dict)
    keys_s: float = -_KEYS_AGAIN_S


class Provider:
    """The provider of one workstation.

    Parameters
    ----------
    settings : ProviderSettings
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, settings: ProviderSettings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self._clock = settings, clock
        self._client = httpx.Client(
            verify=ssl.create_default_context(), timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False
        )
        self._known = _Known()
        self._seal = Fernet(Fernet.generate_key())
        self._ended: dict[str, float] = {}  # answers that let somebody in, and when; strangers add nothing to it
        self._lock = threading.Lock()

    def begin(self, *, redirect: str, onward: str, again: str = "") -> tuple[str, str, str]:
        """Begin a sign-in.

        Parameters
        ----------
        redirect : str
            Our address for the answer, as the provider knows it.
        onward : str
            Path of the page that is wanted afterwards.
        again : str
            Token of a session whose owner is to prove again who they are.

        Returns
        -------
        address : str
            Of the provider's page.
        state : str
            What the answer will bring back, and by which it is known.
        planted : str
            For the browser's cookie: what waits for the answer, sealed.

        Raises
        ------
        Refusal
            When the provider does not answer.
        """
        endpoint = self._said("authorization_endpoint")
        begun = Begun(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect=redirect,
            onward=onward,
            again=again,
            began_s=self._clock(),
        )
        digest = hashlib.sha256(begun.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(("openid", *self.settings.scopes)),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if again:
            asked |= {"prompt": "login", "max_age": "0"}
        planted = self._seal.encrypt(json.dumps(asdict(begun)).encode()).decode()
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}", begun.state, planted

    def began_s(self, planted: str) -> float:
        """When a sign-in began that waits in a browser's cookie.

        Parameters
        ----------
        planted : str
            As `begin` made it.

        Returns
        -------
        float
            Seconds since 1970; 0 for a cookie that is not ours.
        """
        begun = self._unsealed(planted)
        return 0.0 if begun is None else begun.began_s

    def end(self, answer: Mapping[str, str], planted: str) -> tuple[Identity, Begun]:
        """Take the provider's answer, which the browser brings.

        Parameters
        ----------
        answer : mapping of str to str
            ``state`` and ``code``, or ``error``.
        planted : str
            The browser's cookie, as `begin` made it.

        Returns
        -------
        identity : Identity
        begun : Begun
            What it answers; it is answered once.

        Raises
        ------
        Refusal
            When the answer is nobody's, the provider refuses or does not answer, the ID token does not hold, or the
            settings have no role for whom it names.
        """
        begun = self._unsealed(planted)
        if begun is None or self._is_over(begun.began_s) or not _same(answer.get("state", ""), begun.state):
            raise _not_begun()
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise _untrue("the answer is another provider's")
        if "code" not in answer:
            raise Refusal(403, "provider", "The provider did not sign you in; begin anew, or ask who looks after it.")
        claims = self._verified(self._exchanged(answer["code"], begun), begun)
        self._end_once(begun)
        return self._identity(claims), begun

    def _unsealed(self, planted: str) -> Begun | None:
        try:
            return Begun(**json.loads(self._seal.decrypt(planted.encode())))
        except InvalidToken:
            return None

    def _end_once(self, begun: Begun) -> None:
        """Refuse an answer that let somebody in before, also where a provider takes a code twice."""
        with self._lock:
            self._ended = {state: at for state, at in self._ended.items() if not self._is_over(at)}
            if begun.state in self._ended:
                raise _not_begun()
            self._ended[begun.state] = begun.began_s

    def _exchanged(self, code: str, begun: Begun) -> str:
        """The ID token for a code."""
        endpoint, settings = self._said("token_endpoint"), self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect,
            "client_id": settings.client_id,
            "code_verifier": begun.verifier,
        }
        ways = self._known.document.get("token_endpoint_auth_methods_supported")
        if not isinstance(ways, list):  # left out, or null as some write it
            ways = ["client_secret_basic"]  # OpenID Connect Discovery 1.0, section 3 [M]
        by_post = settings.client_secret and "client_secret_basic" not in ways
        if by_post:
            form["client_secret"] = settings.client_secret
        named = [quote_plus(one) for one in (settings.client_id, settings.client_secret)]  # RFC 6749, 2.3.1
        basic = httpx.BasicAuth(*named) if settings.client_secret else None
        said = self._asked("POST", endpoint, data=form, auth=None if by_post else basic)
        token = said.get("id_token")
        if not isinstance(token, str):
            raise _untrue("there is no ID token")
        return token

    def _verified(self, token: str, begun: Begun) -> Mapping[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(token),
                algorithms=list(_ALGORITHMS),
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                options={
                    "require": ["iss", "sub", "aud", "exp", "iat"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            expires, issued = float(claims["exp"]), float(claims["iat"])
            begins = float(claims.get("nbf", issued))
            proved = float(claims.get("auth_time", 0.0))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:  # nor need its keys be objects
            raise _untrue(type(error).__name__) from error
        now = self._clock()
        if now > expires + _LEEWAY_S or max(issued, begins) > now + _LEEWAY_S:
            raise _untrue("it is not of now")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise _untrue("it names nobody")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not _same(nonce, begun.nonce):
            raise _untrue("its nonce is another's")
        meant = claims.get("azp", self.settings.client_id)
        if meant != self.settings.client_id or (
            isinstance(claims["aud"], list) and claims["aud"][1:] and "azp" not in claims
        ):
            raise _untrue("it is meant for another program")
        if begun.again and proved < begun.began_s - _LEEWAY_S:
            raise _untrue("nobody signed in anew")
        return claims

    def _key_of(self, token: str) -> jwt.PyJWK:
        """The provider's key that an ID token names; the keys are asked for anew, now and then, when it is unknown."""
        head = jwt.get_unverified_header(token)
        if head.get("alg") not in _ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        for fresh in (False, True):
            listed = [one for one in self._keys(fresh).get("keys", ()) if isinstance(one, dict)]
            keys = [one for one in listed if one.get("use", "sig") == "sig"]
            named = [one for one in keys if one.get("kid") == head["kid"]] if "kid" in head else keys
            if len(named) == 1:
                return jwt.PyJWK(named[0], algorithm=head["alg"] if "alg" not in named[0] else None)
        raise jwt.InvalidKeyError

    def _keys(self, fresh: bool) -> Mapping[str, Any]:
        known, now = self._known, self._clock()
        if not known.keys or (fresh and abs(now - known.keys_s) >= _KEYS_AGAIN_S):
            known.keys = self._asked("GET", self._said("jwks_uri"))
            known.keys_s = now
        return known.keys

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        said: Any = claims
        for part in self.settings.role_claim.split("."):  # Keycloak's are in realm_access.roles
            said = said.get(part) if isinstance(said, Mapping) else None
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        role = next((role for group, role in self.settings.roles if group in groups), None)
        if role is None:
            raise Refusal(403, "no_role", "The provider knows you, but no group of yours has a role in bonescan.")
        name = claims.get(self.settings.name_claim)
        if not isinstance(name, str) or not name.strip():
            raise Refusal(
                403, "no_name", f"The provider does not tell your name; its {self.settings.name_claim} is missing."
            )
        return Identity(issuer=self.settings.issuer, subject=claims["sub"], name=name, role=Role(role))

    def _said(self, name: str) -> str:
        """One address out of what the provider says of itself."""
        known, now = self._known, self._clock()
        if not known.document or abs(now - known.asked_s) > _DISCOVERED_S:
            document = self._asked("GET", f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self.settings.issuer:
                raise _untrue("it calls itself by another name than the settings")
            known.document, known.asked_s = document, now
        address = known.document.get(name)
        if not isinstance(address, str) or urlsplit(address).scheme != urlsplit(self.settings.issuer).scheme:
            raise _untrue(f"its {name} is no address that can be trusted")
        return address

    def _asked(self, method: str, address: str, **more: Any) -> Mapping[str, Any]:
        try:
            with self._client.stream(method, address, **more) as answer:
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise _untrue("its answer has no end")
                if answer.status_code >= 500:
                    raise _gone()
                if answer.status_code != 200:
                    raise _untrue(f"it answered {answer.status_code}")
            said = json.loads(bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _gone() from error
        except ValueError as error:
            raise _untrue("its answer is no JSON") from error
        if not isinstance(said, Mapping):
            raise _untrue("its answer is no object")
        return said

    def _is_over(self, began_s: float) -> bool:
        return not -_LEEWAY_S <= self._clock() - began_s <= _PENDING_S


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _not_begun() -> Refusal:
    return Refusal(403, "state", "The sign-in was not begun in this browser, or too long ago; begin it anew.")


def _untrue(why: str) -> Refusal:
    return Refusal(403, "untrue", f"What the provider answered cannot be trusted: {why}.")


def _gone() -> Refusal:
    return Refusal(503, "provider_gone", "The provider does not answer; try again later.", retry_after_s=10)
