"""Where a server may listen."""

from __future__ import annotations

import ipaddress

from services.core.errors import ErrorCode, HilumError, invalid


def loopback(bind: str) -> tuple[str, int]:
    """Split ``host:port``. Raises FAILED_PRECONDITION for anything but loopback: without authentication, whoever can
    reach the port can read the archive, and embeddings identify patients."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise invalid("an address to listen on looks like 127.0.0.1:8080")
    name = host.strip("[]")
    try:
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "refusing to listen beyond this machine: there is no authentication yet, and embeddings are patient data. "
            "Listen on 127.0.0.1 and put an authenticating proxy or an SSH tunnel in front",
        )
    return name, int(port)
