"""From the text of a URL to its parts, read once, by one parser; tricks are refused."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import httpx2

from shared.errors import OutboundRefused

MAX_CHARACTERS = 2_048
MAX_NAME = 253
PORTS = {"http": 80, "https": 443}

# Parsers disagree about these: what one takes for a path is another one's host.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# `127.1`, `2130706433` and `0x7f.0.0.1` are names to a URL, and addresses to a resolver.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """Where a request goes. `host` is a name in ASCII or a numeric address without brackets."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as one text, the scheme's own port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(text: str) -> Target:
    """The parts of an absolute http or https URL.

    Raises:
        OutboundRefused: it is none, or its host is written in a way that only hides something.
    """
    if len(text) > MAX_CHARACTERS or _AMBIGUOUS.search(text):
        raise OutboundRefused
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise OutboundRefused from error
    host = _plain_host(url.raw_host.decode("ascii"))
    port = PORTS.get(url.scheme, 0) if url.port is None else url.port
    if url.scheme not in PORTS or url.userinfo or not 1 <= port <= 65_535:
        raise OutboundRefused
    return Target(url.scheme, host, port, url.raw_path.decode("ascii"))


def _plain_host(host: str) -> str:
    """An address in its usual form, or a name that no resolver takes for one."""
    if "%" in host:
        raise OutboundRefused  # an escape, or the zone of an address in this very network
    try:
        if ":" in host:
            return str(IPv6Address(host))
        labels = host.removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise OutboundRefused from error
    if len(host) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused
    return ".".join(labels)
