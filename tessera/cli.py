"""The `tessera` command."""

import typer

from tessera.commands.jobs import generate, jobs
from tessera.commands.keys import keys
from tessera.commands.stack import demo, up
from tessera.commands.webhook import webhook

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Self-hosted, asynchronous image generation.",
)
app.command()(up)
app.command()(generate)
app.command()(demo)
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
app.add_typer(webhook, name="webhook")


def main() -> None:
    """The console script."""
    app()
