"""`stack.json` and Prometheus' `file_sd` file: a running stack, told to other programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tessera.local.children import Child
from tessera.local.directory import DataDirectory
from tessera.local.environment import PROCESSES, StackAddresses
from tessera.local.errors import StackError
from tessera.local.ports import HOST


def write_description(
    directory: DataDirectory, addresses: StackAddresses, children: Sequence[Child]
) -> None:
    """Write both files; they lie there while the stack is ready."""
    description = {
        "url": addresses.url,
        "redis_url": addresses.redis_url,
        "s3_url": addresses.s3_url,
        "metrics": {process: addresses.metrics_url(process) for process in PROCESSES},
        "pids": {child.name: child.pid for child in children},
        "logs": {child.name: str(child.log) for child in children},
    }
    targets = [
        {"targets": [f"{HOST}:{addresses.metrics[process]}"], "labels": {"component": process}}
        for process in PROCESSES
    ]
    directory.description.write_text(json.dumps(description, indent=2) + "\n")
    directory.prometheus_targets.write_text(json.dumps(targets, indent=2) + "\n")


def remove_description(directory: DataDirectory) -> None:
    """Remove both files, where they are."""
    directory.description.unlink(missing_ok=True)
    directory.prometheus_targets.unlink(missing_ok=True)


def read_description(root: Path) -> dict[str, Any]:
    """`stack.json` of the stack that runs in `root`.

    Raises:
        StackError: none runs there.
    """
    try:
        description: dict[str, Any] = json.loads(DataDirectory(root).description.read_text())
    except FileNotFoundError as error:
        raise StackError(f"no stack runs in {root}; start one with `tessera up`") from error
    return description
