"""Which addresses may be dialled: the public ones, and the ranges that the operator opened."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

HTTPS_PORT = 443
FIRST_FREE_PORT = 1024  # below are mail, shells and databases, which must not hear from us

# What `is_global` of some patch release of Python lets through.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # a public number that is every Azure machine's own host
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",  # documentation
    )
)
# Public IPv6 is this alone. Mapped, NAT64 and compatible addresses hide an IPv4 one.
_PUBLIC_IPV6 = ip_network("2000::/3")


@dataclass(frozen=True)
class OpenRange:
    """A network and some of its ports (first and last) that the operator opened."""

    network: str
    ports: tuple[tuple[int, int], ...]

    def covers(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Whether that address and port are inside."""
        inside = any(first <= port <= last for first, last in self.ports)
        return inside and address in ip_network(self.network)


def parse_ranges(text: str) -> tuple[OpenRange, ...]:
    """`10.0.0.0/8:80,8000-8999 [fd00::/8]:443`, divided by spaces; `*` is every port.

    Raises:
        ValueError: with what is wrong.
    """
    return tuple(_parse_range(entry) for entry in text.split())


def _parse_range(entry: str) -> OpenRange:
    network, colon, ports = entry.rpartition(":")
    if not colon:
        raise ValueError(f"{entry}: a network, a colon and ports, like 10.0.0.0/8:443")
    cidr = str(ip_network(network.removeprefix("[").removesuffix("]")))
    return OpenRange(cidr, tuple(_parse_ports(part) for part in ports.split(",")))


def _parse_ports(part: str) -> tuple[int, int]:
    if part == "*":
        return 1, 65_535
    first, _, last = part.partition("-")
    pair = int(first), int(last or first)
    if not 1 <= pair[0] <= pair[1] <= 65_535:
        raise ValueError(f"{part}: ports are from 1 to 65535")
    return pair


def may_dial(text: str, port: int, *, encrypted: bool, opened: tuple[OpenRange, ...] = ()) -> bool:
    """Whether a connection to this numeric address may be made."""
    if "%" in text:
        return False  # a zone: an address of this very network
    address = ip_address(text)
    if any(one.covers(address, port) for one in opened):
        return True
    return encrypted and (port == HTTPS_PORT or port >= FIRST_FREE_PORT) and is_public(address)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public internet's, and stands for itself alone."""
    if address.version == 6 and address not in _PUBLIC_IPV6:
        return False
    special = address.is_multicast or address.is_reserved or not address.is_global
    return not special and not any(address in network for network in _NOT_PUBLIC)
