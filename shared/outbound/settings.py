"""What the operator allows beyond the public internet."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from shared.outbound.addresses import OpenRange, parse_ranges
from shared.settings import TesseraSettings


def _ranges(value: object) -> object:
    return parse_ranges(value) if isinstance(value, str) else value


class OutboundSettings(TesseraSettings):
    """`outbound_allow`: networks and ports, as in `10.0.0.0/8:80,8000-8999 [fd00::/8]:*`.

    Addresses inside may be dialled though they are not public, plain http included.
    """

    outbound_allow: Annotated[tuple[OpenRange, ...], NoDecode, BeforeValidator(_ranges)] = ()
