"""Where a job may make this machine connect to: addresses, names that change their mind, redirects, and who may ask."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest

from hilum.v1.ingest_pb2 import CreateIngestJobRequest
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.dicomweb import DicomWebServer, find, from_environment
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.store import VectorStore
from services.ingest.api import IngestApi
from services.ingest.sources.addresses import pinned
from services.ingest.sources.web import Patience, Web
from services.transport.edge import Call
from tests.kit.encoders import tiny_registry

QUICK = Patience(connect=1, silence=1, question=2, tries=2)
NOWHERE = (
    "169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "100.100.100.200",
    "::", "fe80::1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
)  # fmt: skip
PRIVATE = (
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "fc00::1", "fd12::1",
    "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "192.0.2.1",
)  # fmt: skip
LOOPBACK = ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")
PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")


def plain(url: str = "https://pacs.example/dicom-web") -> DicomWebServer:
    return find((), url)


def named(url: str = "https://pacs.example/dicom-web") -> DicomWebServer:
    return from_environment({"HILUM_DICOMWEB": f"pacs={url}"})[0]


@pytest.mark.parametrize("address", [*NOWHERE, *PRIVATE, *LOOPBACK])
def test_an_address_of_a_job_leads_to_the_public_internet_alone(address: str) -> None:
    for found in ([address], [PUBLIC[0], address]):  # one bad address among good ones is enough
        with pytest.raises(HilumError) as refused:
            pinned(plain(), lambda *_, found=found: found)
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
        assert address not in refused.value.client_message


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert pinned(plain(), lambda *_: [address]) == [address]


@pytest.mark.parametrize("address", [*PRIVATE, *LOOPBACK, *PUBLIC])
def test_a_named_server_may_be_in_the_hospital(address: str) -> None:
    assert pinned(named(), lambda *_: [address]) == [str(ip_address(address))]


@pytest.mark.parametrize("address", NOWHERE)
def test_a_named_server_is_not_where_no_server_is(address: str) -> None:
    with pytest.raises(HilumError, match="not on the public internet"):
        pinned(named(), lambda *_: [address])


def test_this_machine_is_meant_only_by_who_says_so() -> None:
    assert pinned(plain("http://127.0.0.1:8042/dicom-web")) == ["127.0.0.1"]
    for trick in ("https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0177.0.0.1/"):
        with pytest.raises(HilumError):  # the resolver knows these, and whoever reads them does not
            pinned(plain(trick))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://pacs.example/x", "gopher://pacs.example/", "http://pacs.example/dicom-web",
        "https://user:key@pacs.example/", "https://pacs.example/?x=1", "https://pacs.example/#x", "https:///x",
        "https://pacs.example:port/", "https://[::1/", "", "dicomweb:", "dicomweb:other", "dicomweb:../x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(HilumError) as refused:
        find((), url)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT and "key" not in refused.value.client_message.split()


def test_a_name_that_changes_its_mind_leads_nowhere(elsewhere: Elsewhere) -> None:
    """Rebinding: the first answer is looked at, and there is no second question."""
    asked = 0

    def twice(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.1"] if asked == 1 else ["169.254.169.254"]

    server = named(f"http://localhost:{elsewhere.port}/dicom-web")
    with closing(Web(server, lambda: False, QUICK, twice)) as web:
        for _ in range(3):
            assert web.get(f"{server.url}/studies", 1000, {}).body == b"[]"
    assert asked == 1 and set(elsewhere.hosts) == {f"localhost:{elsewhere.port}"}


def test_no_redirect_is_followed(elsewhere: Elsewhere) -> None:
    server = named(f"http://127.0.0.1:{elsewhere.port}/dicom-web")
    for target in ("http://169.254.169.254/latest/", "/dicom-web/studies", "https://other.example/", "file:///x"):
        elsewhere.redirect = target
        elsewhere.hosts.clear()
        with closing(Web(server, lambda: False, QUICK)) as web, pytest.raises(HilumError) as refused:
            web.get(f"{server.url}/studies", 1000, {})
        assert refused.value.code is ErrorCode.FAILED_PRECONDITION and target not in refused.value.client_message
        assert len(elsewhere.hosts) == 1


def test_a_proxy_of_the_environment_is_not_asked(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server = named(f"http://127.0.0.1:{elsewhere.port}/dicom-web")
    with closing(Web(server, lambda: False, QUICK)) as web:
        assert web.get(f"{server.url}/studies", 1000, {}).body == b"[]"


def test_a_certificate_that_nobody_vouches_for_is_refused(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.secure(certificate(tmp_path, "localhost"))
    address = f"https://localhost:{elsewhere.port}/dicom-web"
    strange = Web(named(address), lambda: False, QUICK, lambda *_: ["127.0.0.1"])
    with closing(strange) as web, pytest.raises(HilumError) as refused:
        web.get(f"{address}/studies", 1000, {})
    assert refused.value.code is ErrorCode.UNAVAILABLE and "certificate" in refused.value.client_message
    assert not elsewhere.hosts
    ca = str(tmp_path / "cert.pem")
    [trusting] = from_environment({"HILUM_DICOMWEB": f"pacs={address}", "HILUM_DICOMWEB_PACS_CA": ca})
    with closing(Web(trusting, lambda: False, QUICK, lambda *_: ["127.0.0.1"])) as web:
        assert web.get(f"{address}/studies", 1000, {}).body == b"[]"  # the name is checked, not the pinned address
    other = f"https://pacs.example:{elsewhere.port}/dicom-web"
    [wrong] = from_environment({"HILUM_DICOMWEB": f"pacs={other}", "HILUM_DICOMWEB_PACS_CA": ca})
    with closing(Web(wrong, lambda: False, QUICK, lambda *_: ["127.0.0.1"])) as web, pytest.raises(HilumError):
        web.get(f"{other}/studies", 1000, {})


def test_keys_stay_out_of_what_is_shown() -> None:
    environ = {"HILUM_DICOMWEB": "pacs=https://pacs.example/x", "HILUM_DICOMWEB_PACS_TOKEN": "s3cret-token"}
    [server] = from_environment(environ)
    assert server.authorization == "Bearer s3cret-token" and "s3cret" not in repr(server)
    [basic] = from_environment({**environ, "HILUM_DICOMWEB_PACS_TOKEN": "", "HILUM_DICOMWEB_PACS_USER": "u",
                                "HILUM_DICOMWEB_PACS_PASSWORD": "p"})  # fmt: skip
    assert basic.authorization == "Basic dTpw"
    with pytest.raises(HilumError, match="another host"):  # the feed's address gets the same key
        from_environment({**environ, "HILUM_DICOMWEB_PACS_CHANGES": "https://other.example/"})
    with pytest.raises(HilumError, match="in the clear"):
        from_environment({"HILUM_DICOMWEB": "pacs=http://pacs.example/x"})
    clear = {"HILUM_DICOMWEB": "pacs=http://pacs.example/x", "HILUM_DICOMWEB_PACS_CLEAR": "1"}
    assert from_environment(clear)[0].url == "http://pacs.example/x"


def test_who_may_name_what(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", dicomweb=(named(),))
    api = IngestApi(settings, facts, tiny_registry(), store, Blobs(tmp_path / "blobs"))

    def asked(source: str, operator: bool = False, **fields: object) -> ErrorCode | None:
        request = CreateIngestJobRequest(source=source, dataset="demo", **fields)
        try:
            api.create_ingest_job(request, Call("test", operator=operator))
        except HilumError as error:
            return error.code
        return None

    assert asked("dicomweb:pacs", where="StudyDate=20240101-") is None
    assert asked("dicomweb:other") is ErrorCode.INVALID_ARGUMENT
    for address in ("https://pacs.example/dicom-web", "http://127.0.0.1:8042/dicom-web"):
        assert asked(address) is ErrorCode.PERMISSION_DENIED
        assert asked(address, operator=True) is None
    assert asked("http://pacs.example/dicom-web", operator=True) is ErrorCode.INVALID_ARGUMENT
    assert asked("file:///etc", operator=True, layout="dicomweb") is ErrorCode.INVALID_ARGUMENT
    for where in (
        "PatientID=1",
        "PatientName=A",
        "StudyDate=2024",
        "StudyDate=-",
        "Modality=MG",
        "Modality=CR&x=1",
        "x",
    ):
        assert asked("dicomweb:pacs", where=where) is ErrorCode.INVALID_ARGUMENT
    for field in ({"window": "lung"}, {"layout": "nih-cxr14"}, {"tables": "/"}, {"labels": "/etc/passwd"}):
        assert asked("dicomweb:pacs", **field) is not None
    assert asked(str(tmp_path), operator=True, where="Modality=CR") is ErrorCode.INVALID_ARGUMENT


class Elsewhere:
    """A web server that answers an empty list, or sends whoever asks elsewhere. hosts: the names it was asked by."""

    def __init__(self) -> None:
        self.redirect, self.hosts = "", list[str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.hosts.append(self.headers["host"])
                self.send_response(302 if outer.redirect else 200)
                if outer.redirect:
                    self.send_header("location", outer.redirect)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"[]")

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that does not trust us hangs up

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def secure(self, pem: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.server.shutdown()
    made.server.server_close()


def certificate(folder: Path, host: str) -> Path:
    """A key with a certificate that it has signed itself, and the certificate alone as ``cert.pem``."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    both = folder / "both.pem"
    clear, shape = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    both.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, shape, clear))
    return both
