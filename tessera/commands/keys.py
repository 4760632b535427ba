"""`tessera keys`: API keys of a service, written straight into its job store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
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

KeyIdArgument = Annotated[str, typer.Argument(help="The part between `tsk_` and the next `_`.")]


@contextmanager
def _keyring(data_dir: Path | None) -> Iterator["Keyring"]:
    from shared.connections import connect
    from shared.errors import TesseraError
    from shared.settings import RedisSettings
    from shared.store.keyring import Keyring
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
        _, key = keyring.create(tenant, scopes.split(","), seconds)
        print(key)


@keys.command("list")
def list_keys(data_dir: DataDirOption = None) -> None:
    """All keys, one a line: id, tenant, scopes, end."""
    with _keyring(data_dir) as keyring:
        for key in keyring.list():
            ends = datetime.fromtimestamp(key.expires_at, UTC) if key.expires_at else None
            until = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else "for ever"
            print(f"{key.id}  {key.tenant}  {','.join(sorted(key.scopes))}  {until}")


@keys.command()
def rotate(key_id: KeyIdArgument, data_dir: DataDirOption = None) -> None:
    """Make a key like that one and print it, once; the old one goes on for a day."""
    with _keyring(data_dir) as keyring:
        _, key = keyring.rotate(key_id)
        print(key)


@keys.command()
def revoke(key_id: KeyIdArgument, data_dir: DataDirOption = None) -> None:
    """End a key; gateways notice within seconds."""
    with _keyring(data_dir) as keyring:
        if not keyring.revoke(key_id):
            fail("no such API key")
