"""What commands share: options of the client, and errors as one line without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from tessera.client import DEFAULT_URL, Client, ClientError

INTERRUPTED = 130  # what shells report after Ctrl-C

UrlOption = Annotated[str, typer.Option("--url", envvar="TESSERA_URL", help="The service.")]
KeyOption = Annotated[
    str | None, typer.Option("--api-key", envvar="TESSERA_API_KEY", help="An API key.")
]


def fail(reason: object, status: int = 1) -> NoReturn:
    """Say why on stderr, in one line, and exit."""
    print(f"error: {reason}", file=sys.stderr)
    raise typer.Exit(status)


@contextmanager
def connected(url: str = DEFAULT_URL, api_key: str | None = None) -> Iterator[Client]:
    """A client; what the service refuses ends the command."""
    with Client(url, api_key) as client:
        try:
            yield client
        except ClientError as error:
            fail(error)
