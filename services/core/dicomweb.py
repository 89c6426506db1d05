"""DICOMweb servers that the operator has named. Jobs and clients know a server by its name; its keys stay here."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from services.core.errors import HilumError, invalid

PREFIX = "dicomweb:"
_NAME = r"[a-z0-9][a-z0-9-]{0,30}"


@dataclass(frozen=True, slots=True)
class DicomWebServer:
    """One server.

    url: of its DICOMweb root.  changes: base address of Orthanc's own REST API, where the server is an Orthanc and
    speaks of its changes.  ca: certificates to trust beside the system's.  authorization: the header's value.  named:
    the operator has vouched for its address in the settings; of an address that came with a job nobody has.
    """

    name: str
    url: str
    changes: str = ""
    ca: Path | None = None
    authorization: str = field(default="", repr=False)
    named: bool = True

    @property
    def origin(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_address(source: str) -> bool:
    """Does a job's source speak of a DICOMweb server, and not of files?"""
    return source.startswith((PREFIX, "https://", "http://"))


def from_environment(environ: Mapping[str, str]) -> tuple[DicomWebServer, ...]:
    """``HILUM_DICOMWEB="pacs=https://pacs.hospital/dicom-web research=https://…"``; of the server ``pacs``:

    HILUM_DICOMWEB_PACS_TOKEN (bearer), or _USER and _PASSWORD (basic); _CA (a file of certificates); _CHANGES (base
    address of an Orthanc); _CLEAR=1 lets films travel by http to another machine. Raises INVALID_ARGUMENT naming the
    variable.
    """
    entries = [entry for entry in re.split(r"[\s,]+", environ.get("HILUM_DICOMWEB", "")) if entry]
    return tuple(_server(environ, *entry.partition("=")[::2]) for entry in entries)


def find(servers: tuple[DicomWebServer, ...], source: str) -> DicomWebServer:
    """The server that a job's source names: ``dicomweb:NAME``, or an https address. Raises INVALID_ARGUMENT."""
    if not source.startswith(PREFIX):
        check(source, "the address")
        return DicomWebServer("", source.rstrip("/"), named=False)
    name = source.removeprefix(PREFIX)
    for server in servers:
        if server.name == name:
            return server
    raise invalid("no DICOMweb server of this name is set; its operator names servers in HILUM_DICOMWEB")


def check(url: str, what: str, clear: bool = False) -> None:
    """Raise INVALID_ARGUMENT unless `url` is https (http: to this machine, or `clear`), with host and path alone."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # a port that is no number raises here
    except ValueError:
        raise invalid(f"{what} is none; for example https://pacs.hospital/dicom-web") from None
    if parts.scheme not in ("https", "http"):
        raise invalid(f"{what} begins with https")
    if parts.scheme == "http" and not (clear or is_loopback(host)):
        raise invalid(f"{what} begins with https: films must not travel in the clear")
    if not host or parts.username or parts.password or parts.query or parts.fragment or not url.isascii():
        raise invalid(
            f"{what} is a host and a path alone; user, password and token belong in the environment, as in "
            "HILUM_DICOMWEB_NAME_TOKEN"
        )


def is_loopback(host: str) -> bool:
    """Is the host, as it is written, this machine?"""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _server(environ: Mapping[str, str], name: str, url: str) -> DicomWebServer:
    if not re.fullmatch(_NAME, name) or not url:
        raise invalid("HILUM_DICOMWEB is a list of name=https://host/path; a name has a-z, 0-9 and '-'")
    prefix = f"HILUM_DICOMWEB_{name.upper().replace('-', '_')}"
    clear = environ.get(f"{prefix}_CLEAR") == "1"
    check(url, f"the address of {name} in HILUM_DICOMWEB", clear)
    changes = environ.get(f"{prefix}_CHANGES", "").rstrip("/")
    if changes:
        check(changes, f"{prefix}_CHANGES", clear)
    server = DicomWebServer(
        name, url.rstrip("/"), changes, Path(ca) if (ca := environ.get(f"{prefix}_CA")) else None,
        _authorization(environ, prefix),
    )  # fmt: skip
    if changes and DicomWebServer(name, changes).origin != server.origin:
        raise invalid(f"{prefix}_CHANGES is at another host or port than the server: its key would go there, too")
    return server


def _authorization(environ: Mapping[str, str], prefix: str) -> str:
    token, user, password = (environ.get(f"{prefix}_{name}", "") for name in ("TOKEN", "USER", "PASSWORD"))
    problem: HilumError | None = None
    if token and user:
        problem = invalid(f"set {prefix}_TOKEN, or _USER and _PASSWORD, not both")
    elif bool(user) != bool(password):
        problem = invalid(f"set both {prefix}_USER and {prefix}_PASSWORD")
    elif token and not (token.isascii() and token.isprintable() and " " not in token):
        problem = invalid(f"{prefix}_TOKEN holds what no token holds")
    if problem:
        raise problem
    if token:
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""
