"""The command of one training stage; apart, because what only prepares data needs no torch."""

import argparse
from collections.abc import Callable
from pathlib import Path

from training.command import add_common, run
from training.config import Config
from training.progress import Stop


def run_stage(
    name: str, description: str | None, train: Callable[[Config, Path, Stop], bool]
) -> None:
    """The command of one training stage, `python -m training.NAME`."""
    parser = argparse.ArgumentParser(prog=f"python -m training.{name}", description=description)
    add_common(parser)
    parser.add_argument("--minutes", type=float, help="stop then, to be resumed later")
    arguments = parser.parse_args()

    def work(loaded: Config, state: Path) -> None:
        train(loaded, state, Stop.after(arguments.minutes))

    run(work, arguments)
