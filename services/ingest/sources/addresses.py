"""Where a name leads, decided once: a server is asked at addresses that were looked at, and at no others.

A name is resolved before the first connection, every address that it gives must be allowed, and connections go to
those addresses alone. So a name that answers otherwise the second time (rebinding) leads nowhere.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from services.core.dicomweb import DicomWebServer, is_loopback
from services.core.errors import ErrorCode, HilumError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_NOWHERE = IPv4Network("0.0.0.0/8")  # many systems take it for themselves
_EVERYBODY = IPv4Address("255.255.255.255")
# Where clouds tell a machine its own keys. The first is link-local anyway.
_METADATA = {ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")}


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def pinned(server: DicomWebServer, how: Resolve = resolve) -> list[str]:
    """The addresses at which `server` may be asked.

    A named server may be anywhere but where no server is (link-local, multicast, metadata services); any other must be
    on the public internet, or be this machine and say so. Raises UNAVAILABLE, PERMISSION_DENIED.
    """
    host, port = server.origin
    try:
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in how(host, port)]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise HilumError(ErrorCode.UNAVAILABLE, "the DICOMweb server's name leads to no address; check it")
    here = is_loopback(host)
    for address in map(_inner, found):
        if here and address.is_loopback:
            continue
        if not _public(address) and not (server.named and _possible(address)):
            raise HilumError(
                ErrorCode.PERMISSION_DENIED,
                "this address is not on the public internet; for a server of your own network, name it in "
                "HILUM_DICOMWEB and give dicomweb:NAME as the source",
            )
    return [str(address) for address in found]


def _inner(address: Address) -> Address:
    """The address that is meant, where one is wrapped in another."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def _possible(address: Address) -> bool:
    nowhere = address.is_link_local or address.is_multicast or address.is_unspecified or address in _NOWHERE
    return not nowhere and address not in _METADATA and address != _EVERYBODY


def _public(address: Address) -> bool:
    return address.is_global and _possible(address) and not address.is_reserved
