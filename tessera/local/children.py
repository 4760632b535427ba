"""Child processes that log to a file, die with their parent, and are waited for."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02


class ChildFailed(Exception):
    """A child ended, or did not become ready; the text names its log."""


@dataclass(frozen=True)
class Child:
    """One running process of the stack."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self.process.poll()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()` is true.

        Raises:
            ChildFailed: the child ended first, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.poll() is not None:
                raise ChildFailed(f"{self.name} ended with status {self.poll()}; see {self.log}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.name} not ready after {seconds:g} s; see {self.log}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL after `seconds`; returns once the process is gone."""
        if self.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_child(
    name: str,
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    *,
    directory: Path | None = None,
) -> Child:
    """Start `command` in its own session, its output appended to `log`.

    A session of its own keeps the terminal's Ctrl-C from reaching it, so that the stack can stop
    its parts in order. On Linux the kernel kills it when the calling thread ends, so call this
    from the main thread.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - commands are ours
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
            preexec_fn=_die_with_parent() if sys.platform == "linux" else None,
        )
    return Child(name, process, log)


def _die_with_parent() -> Callable[[], None]:
    # Everything is looked up before the fork: the child may not import or allocate much.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def request_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return request_death_signal
