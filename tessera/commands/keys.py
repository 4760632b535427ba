"""`tessera keys`: API keys of a service, written straight into its job store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera.commands.console import fail

if TYPE_CHECKING:
    from shared.store.keyring import Keyring

DAY_SECONDS = 86_400

keys = typer.Typer(no_args_is_help=True, help="Make, list and end API keys.")

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of a running `tessera up`; without one TESSERA_REDIS_URL says where."
    ),
]


@contextmanager
def _keyring(data_dir: Path | None) -> Iterator["Keyring"]:
    from shared.store.keyring import Keyring

    from shared.connections import connect
    from shared.errors import TesseraError
    from shared.settings import RedisSettings
    from tessera.local.description import read_description
    from tessera.local.errors import StackError

    try:
        settings = (
            RedisSettings(redis_url=read_description(data_dir)["redis_url"])
            if data_dir
            else RedisSettings()
        )
        yield Keyring(connect(settings, name="tessera-keys").durable)
    except StackError as error:
        fail(error)
    except TesseraError as error:
        fail(error.detail)


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is; tenants see only their own jobs.")],
    scopes: Annotated[str, typer.Option(help="Comma-separated.")] = "jobs",
    expires_days: Annotated[float | None, typer.Option(min=0, help="Default: never.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    seconds = None if expires_days is None else expires_days * DAY_SECONDS
    with _keyring(data_dir) as keyring:
        _, secret = keyring.create(tenant, frozenset(scopes.split(",")), seconds)
        print(secret)
