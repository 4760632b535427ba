"""Disk on which finished pictures wait while S3 is away: bounded, and never left behind."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Spool:
    """What a process may keep on disk, shared by its attempts.

    The files have no names: whatever way the process ends, its pictures go with it.
    """

    def __init__(self, folder: Path | None, limit_bytes: float) -> None:
        """Without a folder the system's own for temporary files."""
        self._folder = folder
        self._limit = limit_bytes
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """On disk now."""
        return self._used

    @contextmanager
    def opened(self) -> Iterator["SpoolFile"]:
        """One attempt's file; there is none on disk before something is written."""
        file = SpoolFile(self)
        try:
            yield file
        finally:
            file.clear()

    def create(self) -> IO[bytes]:
        """A file without a name. Raises OSError."""
        return tempfile.TemporaryFile(dir=self._folder)

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes; it is taken now."""
        with self._lock:
            if self._used + size > self._limit:
                return False
            self._used += size
            return True

    def give_back(self, size: int) -> None:
        """That room is free again."""
        with self._lock:
            self._used -= size


class SpoolFile:
    """Contents one after the other; for one thread at a time."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, content: bytes) -> int | None:
        """The place of the content, or None where the spool or the disk has no room."""
        if not self._spool.take(len(content)):
            return None
        try:
            if self._file is None:
                self._file = self._spool.create()
            self._file.seek(self._size)
            self._file.write(content)
            self._file.flush()
        except OSError:
            self._spool.give_back(len(content))
            return None
        place, self._size = self._size, self._size + len(content)
        return place

    def read(self, place: int, size: int) -> bytes:
        """What was written there."""
        assert self._file is not None
        self._file.seek(place)
        return self._file.read(size)

    def clear(self) -> None:
        """Give all room back: nothing of it is wanted any more."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._spool.give_back(self._size)
        self._size = 0
