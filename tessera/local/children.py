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

from tessera.local.errors import StackError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 4096
MISCONFIGURED = 2  # how our processes end where a setting is wrong, and so does their command


class ChildFailed(StackError):
    """A child ended, or did not become ready; the text names its log."""


class ChildMisconfigured(ChildFailed):
    """A setting of the child is wrong; the text says which."""

    exit_status = MISCONFIGURED


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

    def check(self) -> None:
        """Raise ChildFailed if the process has ended."""
        status = self.process.poll()
        if status is not None:
            kind = ChildMisconfigured if status == MISCONFIGURED else ChildFailed
            raise kind(f"{self.name} ended with {_name(status)}{self._last_words()}")

    def wait_until(
        self, ready: Callable[[], bool], seconds: float, check: Callable[[], None] | None = None
    ) -> None:
        """Return once `ready()` is true; `check` is called while waiting and may raise.

        Raises:
            ChildFailed: the child ended first, or the time is over; then it is stopped.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if check:
                check()
            if time.monotonic() > deadline:
                self.stop(1)
                raise ChildFailed(f"{self.name} is not ready after {seconds:g} s; see {self.log}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL after `seconds`; returns once the process is gone."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _last_words(self) -> str:
        # A process that cannot start says why in its last line.
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
        words = next((line.strip() for line in reversed(lines) if line.strip()), "nothing said")
        return f" ({words[:300]}); see {self.log}"


def _name(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


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
