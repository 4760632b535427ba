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

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400

keys = typer.Typer(no_args_is_help=True, help="Make, list and end API keys.")

ExpiresOption = Annotated[
    float | None, typer.Option(min=0, help="When the new key ends. Default: never.")
]
KeyIdArgument = Annotated[str, typer.Argument(help="The part between `tsk_` and the next `_`.")]


@contextmanager
def _keyring(data_dir: Path | None) -> Iterator["Keyring"]:
    from shared.store.keyring import Keyring

    with durable_store(data_dir) as client:
        yield Keyring(client)


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is; tenants see only their own jobs.")],
    scopes: Annotated[
        str, typer.Option(help="Comma-separated; there is `admin`, too, which is all of them.")
    ] = "jobs:read,jobs:write,webhooks",
    expires_days: ExpiresOption = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Whom to call back when a job of this key ends.")
    ] = None,
    cost_per_second: Annotated[
        float | None, typer.Option(help="A limit of its own. Default: it shares its tenant's.")
    ] = None,
    cost_burst: Annotated[
        float | None, typer.Option(help="So much of it at once. Default: a minute's.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    with _keyring(data_dir) as keyring:
        _, key = keyring.create(
            tenant,
            scopes.split(","),
            _seconds(expires_days),
            webhook_url=webhook_url,
            cost_per_second=cost_per_second,
            cost_burst=cost_burst,
        )
        print(key)


@keys.command("list")
def list_keys(data_dir: DataDirOption = None) -> None:
    """All keys, one a line: id, tenant, scopes, end, limit."""
    with _keyring(data_dir) as keyring:
        for key in keyring.list():
            ends = datetime.fromtimestamp(key.expires_at, UTC) if key.expires_at else None
            until = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else "for ever"
            line = f"{key.id}  {key.tenant}  {','.join(sorted(key.scopes))}  {until}"
            if key.limit is not None:
                line += f"  {key.limit.per_second:g}/s, {key.limit.burst:g} at once"
            print(line)


@keys.command()
def rotate(
    key_id: KeyIdArgument,
    overlap_hours: Annotated[
        float, typer.Option(min=0, help="How long the old one goes on at most.")
    ] = 24,
    expires_days: ExpiresOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a key like that one and print it, once; the old one goes on for a while."""
    with _keyring(data_dir) as keyring:
        _, key = keyring.rotate(
            key_id, overlap_hours * HOUR_SECONDS, expires_in=_seconds(expires_days)
        )
        print(key)


@keys.command()
def revoke(key_id: KeyIdArgument, data_dir: DataDirOption = None) -> None:
    """End a key; gateways notice within seconds."""
    with _keyring(data_dir) as keyring:
        if not keyring.revoke(key_id):
            fail("no such API key")


def _seconds(days: float | None) -> float | None:
    return None if days is None else days * DAY_SECONDS
