"""`tessera keys`: API keys of a service, written straight into its job store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera.commands.console import fail
from tessera.commands.store import DataDirOption, durable_store

if TYPE_CHECKING:
    from shared.store.keyring import Keyring

DAY_SECONDS = 86_400

keys = typer.Typer(no_args_is_help=True, help="Make, list and end API keys.")

KeyIdArgument = Annotated[str, typer.Argument(help="The part between `tsk_` and the next `_`.")]


@contextmanager
def _keyring(data_dir: Path | None) -> Iterator["Keyring"]:
    from shared.store.keyring import Keyring

    with durable_store(data_dir) as client:
        yield Keyring(client)


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is; tenants see only their own jobs.")],
    scopes: Annotated[str, typer.Option(help="Comma-separated.")] = "jobs",
    expires_days: Annotated[float | None, typer.Option(min=0, help="Default: never.")] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Whom to call back when a job of this key ends.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    seconds = None if expires_days is None else expires_days * DAY_SECONDS
    with _keyring(data_dir) as keyring:
        _, key = keyring.create(tenant, scopes.split(","), seconds, webhook_url=webhook_url)
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
