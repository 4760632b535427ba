"""`tessera up` as a subprocess, and a look at what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tessera.local.ports import port_is_free

STOP_SECONDS = 40
COMMAND = [sys.executable, "-m", "tessera"]


class RunningStack:
    """One `tessera up` that has said `ready`."""

    def __init__(self, process: "subprocess.Popen[str]", data_dir: Path, url: str) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = url

    @property
    def description(self) -> dict[str, Any]:
        """Its stack.json."""
        described: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text())
        return described

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def tessera_up(data_dir: Path, *, port: int, **environment: str) -> Iterator[RunningStack]:
    """A ready stack; stopped on leaving, unless the test has done so."""
    process = start_up(data_dir, port=port, **environment)
    assert process.stdout
    assert process.stderr
    try:
        line = process.stdout.readline()
        if not line.startswith("ready "):
            process.wait(STOP_SECONDS)
            raise AssertionError(f"tessera up did not start: {process.stderr.read()}")
        yield RunningStack(process, data_dir, line.split()[1])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
        process.stdout.close()
        process.stderr.close()


def start_up(data_dir: Path, *, port: int, **environment: str) -> "subprocess.Popen[str]":
    """`tessera up`, not waited for."""
    return subprocess.Popen(
        [*COMMAND, "up", "--port", str(port), "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def processes_of(data_dir: Path) -> list[str]:
    """Command lines of the processes that work in `data_dir` or were told of it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            directory = str((entry / "cwd").readlink())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(data_dir) in command or directory.startswith(str(data_dir)):
            found.append(command or entry.name)
    return found


def await_nothing_left(data_dir: Path, seconds: float = 10) -> None:
    """Return once no process of that stack is there and none of its ports is taken."""
    ports = json.loads((data_dir / "ports.json").read_text()).values()
    deadline = time.monotonic() + seconds
    while left := [*processes_of(data_dir), *(p for p in ports if not port_is_free(p))]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.05)
