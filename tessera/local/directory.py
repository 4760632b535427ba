"""The data directory: one stack at a time, with its ports, credentials and logs."""

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.signature import new_secret
from tessera.local.errors import StackError
from tessera.local.ports import remembered_ports

LOG_KEPT_BYTES = 10_000_000  # a longer log is set aside at the next start


@dataclass(frozen=True)
class DataDirectory:
    """The files of one stack. Whoever holds it from `lock_directory` is its only user."""

    root: Path

    @property
    def description(self) -> Path:
        """`stack.json`: there while the stack is ready."""
        return self.root / "stack.json"

    @property
    def prometheus_targets(self) -> Path:
        """The `file_sd` file for Prometheus, beside the description."""
        return self.root / "prometheus-targets.json"

    @property
    def webhook_secret_file(self) -> Path:
        """The secret that signs webhooks, made once, unless the caller has one of his own."""
        return self.root / "webhook-secret"

    def webhook_secret(self) -> str:
        """That secret; nobody but the owner reads it."""
        if not self.webhook_secret_file.exists():
            self.webhook_secret_file.touch(mode=0o600)
            self.webhook_secret_file.write_text(new_secret() + "\n")
        return self.webhook_secret_file.read_text().strip()

    def log(self, name: str) -> Path:
        """Where the part of that name logs."""
        logs = self.root / "logs"
        logs.mkdir(exist_ok=True)
        log = logs / f"{name}.log"
        if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    def ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """The internal ports, the same at every start."""
        return remembered_ports(self.root / "ports.json", names)

    def credentials(self) -> tuple[str, str]:
        """Key and secret of the local S3 server, made once; nobody but the owner reads them."""
        file = self.root / "credentials.json"
        if not file.exists():
            file.touch(mode=0o600)
            made = {"key": secrets.token_hex(8), "secret": secrets.token_hex(16)}
            file.write_text(json.dumps(made) + "\n")
        kept = json.loads(file.read_text())
        return kept["key"], kept["secret"]


@contextmanager
def lock_directory(root: Path) -> Iterator[DataDirectory]:
    """Make the directory if need be and hold its lock; the kernel frees it with the process.

    Raises:
        StackError: another stack runs in it, or it cannot be made.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds keys and pictures
        lock = (root / "lock").open("w")
    except OSError as error:
        raise StackError(f"{root} cannot be the data directory: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"another stack runs in {root}; stop it, or choose another with --data-dir"
            ) from error
        yield DataDirectory(root.resolve())
