"""`tessera up` and `tessera demo`: the local stack, kept running or for one picture."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tessera.client import Client, ClientError
from tessera.commands.console import INTERRUPTED, fail
from tessera.commands.progress import follow
from tessera.commands.saving import save_images


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def up(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The gateway's port.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".tessera"),
) -> None:
    """Run the whole service on this machine until Ctrl-C or SIGTERM."""
    from tessera.local.errors import StackError, StopAsked
    from tessera.local.signals import stop_signals
    from tessera.local.stack import running_stack

    with stop_signals() as stopping:
        try:
            with running_stack(data_dir, port, os.environ, stopping, _say) as stack:
                print(f"ready {stack.url}", flush=True)
                stack.watch()
        except StopAsked:
            return
        except StackError as error:
            fail(error, error.exit_status)


def demo(
    prompt: Annotated[str, typer.Argument(help="What to draw.")] = "a red apple",
    out: Annotated[Path, typer.Option(help="The folder of the picture.")] = Path("out"),
) -> None:
    """Send one prompt through a whole service of its own; print where the picture lies."""
    from tessera.local.errors import StackError, StopAsked
    from tessera.local.signals import stop_signals
    from tessera.local.stack import running_stack

    inherited = {**os.environ, "TESSERA_AUTH": "open"}
    data_dir = Path(tempfile.mkdtemp(prefix="tessera-demo-"))
    with stop_signals() as stopping:
        try:
            with (
                running_stack(data_dir, None, inherited, stopping, _say) as stack,
                Client(stack.url) as client,
            ):
                job = follow(client, client.submit(prompt), stack.check)
                paths = save_images(client, job, out)
        except StopAsked:
            shutil.rmtree(data_dir)
            raise typer.Exit(INTERRUPTED) from None
        except StackError as error:
            fail(f"{error} (logs: {data_dir / 'logs'})", error.exit_status)
        except ClientError as error:
            fail(f"{error} (logs: {data_dir / 'logs'})")
    shutil.rmtree(data_dir)
    for path in paths:
        print(path)
