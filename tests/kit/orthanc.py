"""A real Orthanc with its DICOMweb plugin, on loopback and on a folder of its own; and what it was asked.

It stands behind a relay that counts, so that a test can say what was fetched. Orthanc opens its port on every interface
of the machine: it is given a password and its DICOM port stays shut.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from services.core.dicomweb import DicomWebServer, from_environment
from tests.kit.relay import Relay, relay

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
MISSING = "Orthanc is not installed here (apt-get install orthanc orthanc-dicomweb)"


def binary() -> str | None:
    """Orthanc, where it is installed with its DICOMweb plugin."""
    return (
        shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") if PLUGIN.exists() else None
    )


@dataclass
class Orthanc:
    """A running server. `relay` stands before it; `web` goes past the relay."""

    web: httpx.Client
    relay: Relay
    password: str = field(repr=False)

    def server(self, name: str = "pacs", **variables: str) -> DicomWebServer:
        """The settings for it, as an operator gives them."""
        own = {"USER": "hilum", "PASSWORD": self.password, **variables}
        environ = {f"HILUM_DICOMWEB_{name.upper()}_{key}": value for key, value in own.items()}
        return from_environment({"HILUM_DICOMWEB": f"{name}={self.url}", **environ})[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.relay.port}/dicom-web"

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.relay.port}"

    def store(self, *films: bytes) -> None:
        for film in films:
            self.web.post("/instances", content=film).raise_for_status()

    def empty(self) -> None:
        for study in self.web.get("/studies").json():
            self.web.delete(f"/studies/{study}").raise_for_status()

    def fetched(self) -> int:
        """Instances that were asked for since this was last called."""
        lines = self.relay.lines()
        return sum("/instances/" in line for line in lines)


@contextmanager
def orthanc(folder: Path, options: Mapping[str, object] | None = None) -> Iterator[Orthanc]:
    """Start one with a database in `folder`."""
    found = binary()
    assert found, MISSING
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    password = secrets.token_hex(8)
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": port, "DicomServerEnabled": False,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {"hilum": password},
        "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, **(options or {}),
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [found, str(folder / "orthanc.json")], stdout=log, stderr=log, start_new_session=True
        )
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("hilum", password), trust_env=False) as web,
            relay(port) as before,
        ):
            _answering(web, process)
            yield Orthanc(web, before, password)
    finally:
        process.kill()
        process.wait()


def _answering(web: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            web.get("/system").raise_for_status()
            return
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline, "Orthanc does not start"
        time.sleep(0.05)
