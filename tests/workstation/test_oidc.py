"""Sign-in at a provider: the whole way, and everything that a thief, another site or a false provider may try."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.workstation.conftest import CHEAP, PASSWORD, Browser, Clock

from bonescan.archive import Archive, audit
from bonescan.errors import InvalidValue, UnknownSetting
from bonescan.workstation import HttpSettings, ProviderSettings, Role, Workstation, load_http_settings
from bonescan.workstation.oidc import Provider
from bonescan.workstation.proof import prove_again
from bonescan.workstation.refusal import Refusal

KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
RSA_KEY = rsa.generate_private_key(65537, 2048)


class Hospital:
    """A provider with one person; what it says can be changed by a test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.claims: dict[str, Any] = {
            "sub": "0815",
            "preferred_username": "Ada Lovelace",
            "groups": ["staff", "doctors"],
        }
        self.change: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.key, self.algorithm, self.kid = KEY, "ES256", "one"
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[dict[str, str]] = []
        self.token: Callable[[dict[str, Any]], str] = self.signed
        self.down = False
        hospital = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                here = hospital.issuer
                said = {
                    "/.well-known/openid-configuration": {
                        "issuer": here,
                        "authorization_endpoint": f"{here}/auth",
                        "token_endpoint": f"{here}/token",
                        "jwks_uri": f"{here}/keys",
                    }
                    | hospital.document,
                    "/keys": {"keys": [published(KEY, "one"), published(RSA_KEY, "two")]},
                }.get(self.path)
                self.say(503 if hospital.down else 200, said)

            def do_POST(self) -> None:
                form = {
                    k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
                }
                hospital.asked.append(form | {"authorization": self.headers.get("Authorization", "")})
                began = hospital.codes.pop(form["code"], None)
                challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(
                    b"="
                )
                if began is None or began["code_challenge"] != challenge.decode():
                    return self.say(400, {"error": "invalid_grant"})
                now = int(hospital.clock())
                claims = {
                    "iss": hospital.issuer, "aud": "bonescan", "iat": now, "exp": now + 300, "auth_time": now,
                    "nonce": began["nonce"], **hospital.claims, **hospital.change,
                }  # fmt: skip
                said = {"id_token": hospital.token({k: v for k, v in claims.items() if v is not None})}
                return self.say(200, said)

            def say(self, status: int, said: object) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": self.kid})

    def lets_in(self, address: str) -> dict[str, str]:
        """Sign somebody in on the provider's page; what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code {len(self.asked)} {asked['state'][:8]}"
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}


def published(key: Any, kid: str) -> dict[str, str]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


@pytest.fixture
def hospital(clock: Clock) -> Iterator[Hospital]:
    made = Hospital(clock)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def workstation(archive: Archive, clock: Clock, hospital: Hospital) -> Workstation:
    roles = (("heads", "admin"), ("doctors", "physician"), ("staff", "researcher"))
    provider = ProviderSettings(
        issuer=hospital.issuer, client_id="bonescan", client_secret="s3cret+50%:all", roles=roles
    )
    made = Workstation(archive, HttpSettings(provider=provider), hasher=CHEAP, clock=clock)
    made.rooms.people.add("Root", Role.ADMIN, PASSWORD, actor="test")
    return made


@pytest.fixture
def new_browser(workstation: Workstation) -> Iterator[Callable[[], Browser]]:
    with ExitStack() as opened:

        def open_one() -> Browser:
            made = Browser(workstation.app, base_url="http://localhost", follow_redirects=False)
            return opened.enter_context(made)

        yield open_one


def begun(browser: Browser, **query: str) -> str:
    answer = browser.get("/api/v1/session/provider", params=query)
    assert answer.status_code == 303
    return answer.headers["location"]


def back(browser: Browser, brought: dict[str, str]) -> httpx.Response:
    answer = browser.get("/api/v1/session/provider/answer", params=brought)
    assert answer.status_code == 303
    return answer


def planted(browser: Browser) -> dict[str, str]:
    """The cookies of sign-ins that wait, by name."""
    return {one.name: one.value or "" for one in browser.cookies.jar if one.name.startswith("bonescan_provider_")}


def refused(answer: httpx.Response) -> str:
    assert answer.headers["location"].startswith("/sign-in?refused="), answer.headers["location"]
    return answer.headers["location"].removeprefix("/sign-in?refused=")


def test_a_person_signs_in_at_the_provider_with_the_role_of_their_group(new_browser, hospital, workstation, archive):
    browser = new_browser()
    address = begun(browser, next="/study/1.9.1")
    assert address.startswith(f"{hospital.issuer}/auth?")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == (
        "code",
        "S256",
        "openid profile",
    )
    assert asked["redirect_uri"] == "http://localhost/api/v1/session/provider/answer"
    answer = back(browser, hospital.lets_in(address))
    assert answer.headers["location"] == "/study/1.9.1"
    said = browser.hello().json()
    assert (said["user"], said["by_password"]) == ({"name": "Ada Lovelace", "role": "physician"}, False)
    # RFC 6749, section 2.3.1: both are encoded as in a form before they are joined
    assert (
        base64.b64decode(hospital.asked[0]["authorization"].removeprefix("Basic ")) == b"bonescan:s3cret%2B50%25%3Aall"
    )
    made = [one for one in audit.entries(archive.database) if one.action == "account.made"][-1]
    assert (made.actor, made.subject, made.detail["role"]) == ("provider", "Ada Lovelace", "physician")

    hospital.claims |= {"groups": ["heads"], "preferred_username": "Ada King"}  # married; promoted
    other = new_browser()
    back(other, hospital.lets_in(begun(other)))
    assert other.hello().json()["user"] == {"name": "Ada Lovelace", "role": "admin"}  # the same person by her subject
    assert browser.hello().json()["user"] is None  # whose rights changed signs in anew
    assert len(workstation.rooms.people.all()) == 2


def test_without_a_role_nobody_comes_in_and_no_account_is_made(new_browser, hospital, workstation):
    browser = new_browser()
    for groups in ([], ["cleaners"], None, "doctor", {"doctors": True}):
        hospital.change = {"groups": groups}
        assert refused(back(browser, hospital.lets_in(begun(browser)))) == "no_role"
    assert [one.name for one in workstation.rooms.people.all()] == ["Root"]
    assert browser.hello().json()["user"] is None


def test_nobody_takes_over_an_account_by_being_called_like_its_owner(new_browser, hospital):
    hospital.claims |= {"preferred_username": "ROOT", "groups": ["heads"]}
    browser = new_browser()
    assert refused(back(browser, hospital.lets_in(begun(browser)))) == "name_taken"
    hospital.claims |= {"preferred_username": "<script>"}
    assert refused(back(browser, hospital.lets_in(begun(browser)))) == "name"


def test_a_shut_account_stays_shut(new_browser, hospital, workstation):
    browser = new_browser()
    back(browser, hospital.lets_in(begun(browser)))
    workstation.rooms.people.change("Ada Lovelace", actor="Root", active=False)
    assert refused(back(browser, hospital.lets_in(begun(browser)))) == "shut"


FORGED = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "payroll"},
    "two audiences, for the other": {"aud": ["bonescan", "payroll"], "azp": "payroll"},
    "two audiences, for nobody": {"aud": ["bonescan", "payroll"]},
    "another issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": 1_700_000_000},
    "without an end": {"exp": None},
    "of tomorrow": {"iat": 1_800_090_000, "exp": 1_800_099_000},
    "of nobody": {"sub": None},
    "of nobody in particular": {"sub": ""},
    "times that are none": {"exp": "soon"},
}


def test_an_id_token_that_does_not_hold_lets_nobody_in(new_browser, hospital, workstation):
    browser = new_browser()
    for what, hospital.change in FORGED.items():
        assert refused(back(browser, hospital.lets_in(begun(browser)))) == "untrue", what
    assert len(workstation.rooms.people.all()) == 1


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, algorithm="none", headers={"kid": "one"})


def _by_public_key(claims: dict[str, Any]) -> str:
    """Signed with what everybody knows, the key that is published, as if it were a shared secret."""
    secret = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    said = b".".join(_in_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one"}, claims))
    return b".".join((said, _in_base64(hmac.digest(secret, said, "sha256")))).decode()


def _in_base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER_KEY, algorithm="ES256", headers={"kid": "one"})


def _by_a_key_of_its_own(claims: dict[str, Any]) -> str:
    own = published(OTHER_KEY, "mine")
    return jwt.encode(claims, OTHER_KEY, algorithm="ES256", headers={"kid": "mine", "jwk": own})


def _by_the_clients_secret(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "s3cret", algorithm="HS256", headers={"kid": "one"})


def _changed(claims: dict[str, Any]) -> str:
    head, _, mark = jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "one"}).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims | {"groups": ["heads"]}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{mark}"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_an_id_token_that_the_provider_did_not_sign_lets_nobody_in(new_browser, hospital):
    browser = new_browser()
    ways = (_unsigned, _by_public_key, _by_another_key, _by_a_key_of_its_own, _by_the_clients_secret, _changed)
    for hospital.token in (*ways, lambda _: "a.b"):
        assert refused(back(browser, hospital.lets_in(begun(browser)))) == "untrue", hospital.token
    assert browser.hello().json()["user"] is None


@pytest.mark.parametrize("keys", [["none"], None, 7, [{"kid": "one", "kty": "oct", "k": "AAAA"}]], ids=str)
def test_keys_that_are_none_let_nobody_in(new_browser, hospital, keys):
    hospital.document = {"jwks_uri": f"{hospital.issuer}/.well-known/openid-configuration", "keys": keys}
    browser = new_browser()
    assert refused(back(browser, hospital.lets_in(begun(browser)))) == "untrue"


def test_keys_of_other_kinds_and_new_ones_are_taken(new_browser, hospital, clock):
    hospital.key, hospital.algorithm, hospital.kid = RSA_KEY, "RS256", "two"
    browser = new_browser()
    assert back(browser, hospital.lets_in(begun(browser))).headers["location"] == "/"


def test_a_code_and_an_answer_are_good_once_and_in_one_browser(new_browser, hospital, clock):
    mine, thief = new_browser(), new_browser()
    brought = hospital.lets_in(begun(mine))
    assert refused(back(thief, brought)) == "state"  # another browser has not the cookie that was planted
    ((name, cookie),) = planted(mine).items()
    code = dict(hospital.codes)
    assert back(mine, brought).headers["location"] == "/"  # whose it is does not suffer from that
    assert refused(back(mine, brought)) == "state"  # the cookie is gone
    hospital.codes |= code  # a provider that takes a code twice
    thief.cookies.set(name, cookie, domain="localhost.local", path="/api/v1/session/provider")
    assert refused(back(thief, brought)) == "state"  # and a copy of it is worth nothing either
    assert thief.hello().json()["user"] is None
    begun(thief)
    assert refused(back(thief, brought | {"state": "another"})) == "state"
    stolen = hospital.lets_in(begun(mine))  # a code that was stolen is worth nothing without its verifier
    own = hospital.lets_in(begun(thief))
    assert refused(back(thief, own | {"code": stolen["code"]})) == "untrue"
    late = hospital.lets_in(begun(mine))
    clock.now += 601
    assert refused(back(mine, late)) == "state"
    assert refused(back(mine, {})) == "state"


def test_who_begins_sign_ins_without_number_ends_nobody_elses(new_browser, hospital, workstation):
    mine, flood = new_browser(), workstation.rooms.provider
    address = begun(mine)
    for _ in range(1100):
        flood.begin(redirect="http://localhost/", onward="/")
    assert back(mine, hospital.lets_in(address)).headers["location"] == "/"
    assert mine.hello().json()["user"]["name"] == "Ada Lovelace"


def test_two_tabs_sign_in_one_after_the_other_whichever_comes_back_first(new_browser, hospital):
    browser = new_browser()
    first, second = begun(browser, next="/study/1.9.1"), begun(browser, next="/study/1.9.2")
    assert len(planted(browser)) == 2
    assert refused(back(browser, {"state": "made up", "code": "x"})) == "state"  # which takes nothing from either
    assert back(browser, hospital.lets_in(first)).headers["location"] == "/study/1.9.1"
    assert back(browser, hospital.lets_in(second)).headers["location"] == "/study/1.9.2"
    assert browser.hello().json()["user"]["name"] == "Ada Lovelace"
    assert planted(browser) == {}


def test_a_browser_keeps_few_sign_ins_and_the_oldest_makes_room(new_browser, hospital, clock):
    browser = new_browser()
    addresses = []
    for _ in range(6):
        addresses.append(begun(browser))
        clock.now += 1
    assert len(planted(browser)) == 4
    assert [refused(back(browser, hospital.lets_in(address))) for address in addresses[:2]] == ["state", "state"]
    for address in addresses[2:]:
        assert back(browser, hospital.lets_in(address)).headers["location"] == "/"


def test_what_waits_in_the_browser_tells_nothing_and_cannot_be_made_or_changed(new_browser, hospital, workstation):
    browser = new_browser()
    brought = hospital.lets_in(begun(browser, next="/study/1.9.1"))
    (cookie,) = planted(browser).values()
    assert all(part.encode() not in base64.urlsafe_b64decode(cookie) for part in (brought["state"], "/study/1.9.1"))
    own = Provider(workstation.rooms.provider.settings).begin(redirect="http://localhost/", onward="/")[2]
    changed = cookie[:60] + ("A" if cookie[60] != "A" else "B") + cookie[61:]
    for made in (own, changed, "", "é", "a.b.c"):
        with pytest.raises(Refusal, match="not begun in this browser"):
            workstation.rooms.provider.end(brought, made)
    assert len(hospital.asked) == 0  # nobody's code was shown to the provider


@pytest.mark.parametrize(
    ("said", "by_post"),
    [(None, False), ("client_secret_post", False), (["client_secret_post"], True), (["client_secret_basic"], False)],
    ids=str,
)
def test_the_clients_secret_goes_as_the_provider_wants_it(new_browser, hospital, said, by_post):
    """Null and what is no list count as left out: then it is Basic (OpenID Connect Discovery 1.0, section 3)."""
    hospital.document = {"token_endpoint_auth_methods_supported": said}
    browser = new_browser()
    assert back(browser, hospital.lets_in(begun(browser))).headers["location"] == "/"
    (asked,) = hospital.asked
    assert ("client_secret" in asked, asked["authorization"].startswith("Basic ")) == (by_post, not by_post)


def test_a_name_with_its_family_first_is_taken(new_browser, hospital):
    hospital.claims["preferred_username"] = "Lovelace, Ada"
    browser = new_browser()
    back(browser, hospital.lets_in(begun(browser)))
    assert browser.hello().json()["user"]["name"] == "Lovelace, Ada"


def test_a_refusal_of_the_provider_and_its_answer_from_elsewhere_are_told(new_browser, hospital, archive):
    browser = new_browser()
    before = len(audit.entries(archive.database))
    brought = hospital.lets_in(begun(browser))
    assert refused(back(browser, {"state": brought["state"], "error": "<b>access_denied"})) == "provider"
    brought = hospital.lets_in(begun(browser))
    assert refused(back(browser, brought | {"iss": "https://elsewhere.example"})) == "untrue"  # RFC 9207, mixed up
    assert (
        len(audit.entries(archive.database)) == before
    )  # nobody fills the audit trail whom the provider does not know
    hospital.claims["preferred_username"] = "Root"
    back(browser, hospital.lets_in(begun(browser)))
    last = audit.entries(archive.database)[-1]
    assert (last.action, last.detail["provider"]) == ("sign_in.refused", "name_taken")


def test_nobody_is_led_to_another_place_afterwards(new_browser, hospital):
    elsewhere = (
        "https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)",
        "/\r\nX: y", "elsewhere.example", "/api/v1/audit", "/a b",
    )  # fmt: skip
    browser = new_browser()
    for wanted in elsewhere:
        assert back(browser, hospital.lets_in(begun(browser, next=wanted))).headers["location"] == "/", wanted


def test_a_provider_that_says_odd_things_of_itself_is_not_believed(hospital):
    settings = ProviderSettings(issuer=hospital.issuer, client_id="bonescan", roles=(("doctors", "physician"),))
    for hospital.document in (
        {"issuer": "https://elsewhere.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "ftp://elsewhere.example"},
    ):
        with pytest.raises(Refusal, match="cannot be trusted"):
            Provider(settings).begin(redirect="http://localhost/", onward="/")


def test_a_provider_that_is_gone_is_told_and_comes_back(new_browser, hospital):
    browser = new_browser()
    hospital.down = True
    assert refused(browser.get("/api/v1/session/provider")) == "provider_gone"
    hospital.down = False
    assert back(browser, hospital.lets_in(begun(browser))).headers["location"] == "/"


def test_a_sign_in_is_not_fixed_beforehand_and_cookies_are_narrow(new_browser, hospital):
    browser = new_browser()
    browser.hello()
    planted = browser.cookies["bonescan_session"]
    answer = browser.get("/api/v1/session/provider")
    cookie = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax", "Path=/api/v1/session/provider", "Max-Age=600"} <= set(cookie)
    back(browser, hospital.lets_in(answer.headers["location"]))
    assert browser.cookies["bonescan_session"] != planted


def test_without_a_password_one_proves_again_at_the_provider_for_each_signature(
    new_browser, hospital, workstation, clock
):
    browser = new_browser()
    rooms = workstation.rooms
    back(browser, hospital.lets_in(begun(browser)))

    def prove() -> str:
        token = browser.cookies["bonescan_session"]
        request = SimpleNamespace(headers=httpx.Headers({"cookie": f"bonescan_session={token}"}), client=None)
        request.headers.getlist = request.headers.get_list
        try:
            prove_again(rooms, rooms.sessions.who(token), "", request)
        except Refusal as error:
            return error.code
        return "proved"

    assert prove() == "prove_again"  # the sign-in itself is no proof
    address = begun(browser, again="true", next="/study/1.9.1")
    assert "prompt=login" in address
    assert "max_age=0" in address
    clock.now += 120
    hospital.change = {"auth_time": clock.now - 3600}  # the provider did not ask for the password again
    assert refused(back(browser, hospital.lets_in(address))) == "untrue"
    assert prove() == "prove_again"
    hospital.change = {"sub": "4711", "preferred_username": "Bob"}  # a colleague signs in there instead
    assert refused(back(browser, hospital.lets_in(begun(browser, again="true")))) == "another"
    assert prove() == "prove_again"
    assert [one.name for one in rooms.people.all()] == ["Ada Lovelace", "Root"]  # nor has the colleague an account now
    hospital.change = {}
    assert back(browser, hospital.lets_in(begun(browser, again="true", next="/a"))).headers["location"] == "/a"
    assert (prove(), prove()) == ("proved", "prove_again")  # once
    back(browser, hospital.lets_in(begun(browser, again="true")))
    clock.now += 301
    assert prove() == "prove_again"  # and not later
    assert new_browser().get("/api/v1/session/provider", params={"again": "true"}).status_code == 401


def test_an_account_without_a_password_has_none_that_could_be_guessed(new_browser, hospital, workstation):
    back(browser := new_browser(), hospital.lets_in(begun(browser)))
    other = new_browser()
    for password in ("", " ", "Ada Lovelace", "$argon2id$"):
        assert other.sign_in("Ada Lovelace", password).status_code in (401, 422)


def test_without_a_provider_there_is_no_way_to_one(archive, clock):
    plain = Browser(Workstation(archive, HttpSettings(), hasher=CHEAP, clock=clock).app, base_url="http://localhost")
    for path in ("", "/answer"):
        assert plain.get(f"/api/v1/session/provider{path}").status_code == 404
    assert plain.hello().json()["provider"] == ""


def test_settings_of_a_provider(tmp_path: Path):
    path = tmp_path / "bonescan.toml"
    whole = '[http.oidc]\nissuer = "https://i.example"\nclient_id = "b"\n{}\n[http.oidc.roles]\nd = "physician"\n'
    path.write_text(whole.format('client_secret = "in the file"'), encoding="utf-8")
    provider = load_http_settings(path, {"BONESCAN_OIDC_SECRET": "of the environment"}).provider
    assert provider is not None
    assert (provider.client_secret, provider.roles) == ("of the environment", (("d", "physician"),))
    path.write_text(whole.format('isuer = "a"'), encoding="utf-8")
    with pytest.raises(UnknownSetting, match="perhaps issuer is meant"):
        load_http_settings(path, {})
    for wrong in (
        '[http.oidc]\nclient_id = "b"\n[http.oidc.roles]\nd = "physician"',
        '[http.oidc]\nissuer = "http://i.example"\nclient_id = "b"\n[http.oidc.roles]\nd = "physician"',
        '[http.oidc]\nissuer = "https://i.example"\nclient_id = "b"',
        '[http.oidc]\nissuer = "https://i.example"\nclient_id = "b"\n[http.oidc.roles]\nd = "boss"',
        '[http.oidc]\nissuer = 3\nclient_id = "b"\n[http.oidc.roles]\nd = "physician"',
        "[http]\noidc = 3",
    ):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(InvalidValue):
            load_http_settings(path, {})
