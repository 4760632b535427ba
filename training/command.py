"""What every training command shares: its options, and errors as one line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from training import config
from training.errors import TrainingError

EXIT_BAD_INPUT = 2


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=config.DEFAULT)
    parser.add_argument("--profile", default="cpu", help="a profile of the configuration")
    parser.add_argument(
        "--state", type=Path, default=Path("out/training"), help="data and checkpoints"
    )


def run(work: Callable[[config.Config, Path], None], arguments: argparse.Namespace) -> None:
    """Load the configuration and do the work; a TrainingError ends the process with its line."""
    try:
        loaded = config.load(arguments.config, arguments.profile)
        arguments.state.mkdir(parents=True, exist_ok=True)
        work(loaded, arguments.state)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
