"""`tessera webhook`: a receiver to try webhooks with, and the secrets that sign them."""

from pathlib import Path
from typing import Annotated

import typer

from tessera.commands.console import fail
from tessera.commands.store import DataDirOption, durable_store

webhook = typer.Typer(no_args_is_help=True, help="Try webhooks, and manage their secrets.")


@webhook.command()
def listen(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 9000,
    secret: Annotated[
        str | None, typer.Option(envvar="TESSERA_WEBHOOK_SECRET", help="`whsec_...`")
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(help="Data directory of a `tessera up`, which has the secret.")
    ] = Path(".tessera"),
) -> None:
    """Receive webhooks on this machine, verify and print them, until Ctrl-C."""
    from shared.signature import is_secret
    from tessera.local.directory import DataDirectory
    from tessera.receiver import WebhookReceiver

    if secret is None:
        try:
            secret = DataDirectory(data_dir).webhook_secret_file.read_text().strip()
        except OSError:
            fail(f"give --secret, or the --data-dir of a stack: there is none in {data_dir}")
    if not is_secret(secret):
        fail("a secret is `whsec_` and 24 to 64 bytes in base64")
    try:
        receiver = WebhookReceiver(port, secret, lambda line: print(line, flush=True))
    except OSError as error:
        fail(f"port {port}: {error.strerror}")
    print(f"listening on {receiver.url}", flush=True)
    try:
        receiver.serve_forever()
    except KeyboardInterrupt:
        return
    finally:
        receiver.server_close()


@webhook.command("secret")
def show_secret(
    key_id: Annotated[
        str | None,
        typer.Argument(help="An API key's id; without one: what signs where nobody has a key."),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Print the secrets that sign now, the newest first."""
    from shared.store.keyring import Keyring
    from shared.store.signing import KEYLESS, SigningSecrets

    with durable_store(data_dir) as client:
        owner = KEYLESS if key_id is None else Keyring(client).get(key_id).owner
        found = SigningSecrets(client).of(owner)
    if not found:
        fail("there is no such secret yet")
    for secret in found:
        print(secret)


@webhook.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="An API key's id.")], data_dir: DataDirOption = None
) -> None:
    """Make a new secret and print it; for a week the old one signs along."""
    from shared.store.keyring import Keyring
    from shared.store.signing import SigningSecrets

    with durable_store(data_dir) as client:
        print(SigningSecrets(client).rotate(Keyring(client).get(key_id).owner))
