"""The shipped settings of nginx and Caddy, with other ports and a certificate of the test, before a workstation."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.workstation.conftest import CHEAP, PASSWORD, put_whole_body

from bonescan.archive import Archive, audit
from bonescan.workstation import HttpSettings, Role, Workstation, serve

pytestmark = pytest.mark.long
DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "bonescan.hospital.example"
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "tls.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "tls.key").write_bytes(private)
    return tmp_path / "tls.crt", tmp_path / "tls.key"


def nginx(folder: Path, port: int, behind: int, certificate: tuple[Path, Path]) -> list[str]:
    shipped = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for ours, theirs in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/bonescan.crt", str(certificate[0])),
        ("/etc/ssl/private/bonescan.key", str(certificate[1])),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{behind}"),
    ):
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    temporary = "".join(f"{kind}_temp_path {folder}/t;" for kind in ("client_body", "proxy"))
    whole = f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}} http {{ {temporary} {shipped} }}"
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    return [shutil.which("nginx", path=PATHS) or "", "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, behind: int, certificate: tuple[Path, Path]) -> list[str]:
    shipped = (DEPLOY / "compose" / "Caddyfile").read_text(encoding="utf-8")
    for ours, theirs in (
        (f"\n{NAME} {{", f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1"),
        ("tls internal", f"tls {certificate[0]} {certificate[1]}"),
        ("reverse_proxy bonescan:8080", f"reverse_proxy 127.0.0.1:{behind}"),
    ):
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    whole = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + shipped
    (folder / "Caddyfile").write_text(whole, encoding="utf-8")
    return [
        shutil.which("caddy", path=PATHS) or "",
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        str(folder / "Caddyfile"),
    ]


def nginx_before_ohif(folder: Path, port: int, behind: int, certificate: tuple[Path, Path]) -> list[str]:
    """OHIF's server, with one page in place of OHIF, before the same workstation."""
    (folder / "ohif").mkdir()
    (folder / "ohif" / "index.html").write_text("a viewer", encoding="utf-8")
    command = nginx(folder, 1, behind, certificate)
    shipped = (DEPLOY / "ohif" / "nginx.conf").read_text(encoding="utf-8")
    for ours, theirs in (
        ("listen 8443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/bonescan.crt", str(certificate[0])),
        ("/etc/ssl/private/bonescan.key", str(certificate[1])),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{behind}"),
        ("/opt/ohif;", f"{folder}/ohif;"),
    ):
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    whole = (folder / "nginx.conf").read_text(encoding="utf-8").rpartition("}")[0]
    first = whole[whole.index("server {") :]  # the workstation's own port is not needed here
    alone = "master_process off; "  # as whoever runs the tests, whose folders are nobody else's
    (folder / "nginx.conf").write_text(f"{alone}{whole.replace(first, '')}{shipped}}}", encoding="utf-8")
    return command


def test_before_ohif_a_signed_in_person_reads_dicomweb_and_nothing_else_is_passed_on(
    archive: Archive, tmp_path: Path, certificate: tuple[Path, Path]
):
    if not shutil.which("nginx", path=PATHS):
        pytest.skip("nginx is not installed")
    settings = HttpSettings(port=0, names=(NAME,), proxies=("127.0.0.1",))
    workstation = Workstation(archive, settings, hasher=CHEAP)
    shown = workstation.rooms.tokens.add("viewer", Role.PHYSICIAN, actor="test")[1]
    put_whole_body(archive, "1.9.7")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(archive, settings, workstation=workstation) as served:
        before = subprocess.Popen(nginx_before_ohif(tmp_path, port, served.port, certificate), cwd=tmp_path)
        try:
            client = connected(port, certificate[0])
            assert client.get("/dicomweb/studies").status_code == 401
            viewer = {"Authorization": f"Bearer {shown}"}
            (study,) = client.get("/dicomweb/studies", headers=viewer).json()
            assert study["00081190"]["Value"] == [f"https://{NAME}:{port}/dicomweb/studies/1.9.7"]
            assert client.post("/dicomweb/studies", headers=viewer).status_code == 403
            for path in ("/", "/viewer", "/api/v1/session", "/metrics", "/dicomweb/../api/v1/session"):
                assert client.get(path).text == "a viewer", path
        finally:
            before.terminate()
            before.wait(20)


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_a_browser_behind_a_proxy_signs_in_over_tls_and_is_known_by_its_own_address(
    archive: Archive,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    proxy: Callable[[Path, int, int, tuple[Path, Path]], list[str]],
):
    if not shutil.which(proxy.__name__, path=PATHS):
        pytest.skip(f"{proxy.__name__} is not installed")
    settings = HttpSettings(port=0, names=(NAME,), proxies=("127.0.0.1",))
    workstation = Workstation(archive, settings, hasher=CHEAP)
    workstation.rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(archive, settings, workstation=workstation) as served:
        environment = {**os.environ, "HOME": str(tmp_path)}
        before = subprocess.Popen(proxy(tmp_path, port, served.port, certificate), env=environment, cwd=tmp_path)
        try:
            client = connected(port, certificate[0])
            origin = f"https://{NAME}:{port}"
            hello = client.get("/api/v1/session")
            assert "Secure" in hello.headers["set-cookie"]
            assert "strict-transport-security" in hello.headers
            headers = {"X-CSRF-Token": hello.json()["csrf"], "Origin": origin, "X-Forwarded-For": "6.6.6.6"}
            wrong = {"name": "Ada", "password": "wrong"}
            assert client.post("/api/v1/session", json=wrong, headers=headers).status_code == 401
            found = audit.entries(archive.database)
            assert found[-1].detail == {"address": "127.0.0.2"}  # not the proxy's, and not what the caller says
            answer = client.post("/api/v1/session", json={**wrong, "password": PASSWORD}, headers=headers)
            assert answer.status_code == 200
            foreign = headers | {"Origin": "https://elsewhere.example", "X-CSRF-Token": answer.json()["csrf"]}
            assert client.request("DELETE", "/api/v1/session", headers=foreign).status_code == 403
            last = client.get("/api/v1/changes").json()["last"]
            news = client.get("/api/v1/changes", params={"after": last, "wait_s": 1})
            assert news.json() == {"changes": [], "last": last}
        finally:
            before.terminate()
            before.wait(20)


def connected(port: int, authority: Path) -> httpx.Client:
    """A browser of another address; it finds the hospital's name on this machine."""
    context = ssl.create_default_context(cafile=str(authority))
    transport = httpx.HTTPTransport(verify=context, local_address="127.0.0.2")
    client = httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        transport=transport,
        headers={"Host": f"{NAME}:{port}"},
        timeout=30,
    )
    client.event_hooks = {"request": [lambda request: request.extensions.update(sni_hostname=NAME)]}
    for _ in range(150):
        try:
            client.get("/health")
            return client
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the proxy does not answer")
