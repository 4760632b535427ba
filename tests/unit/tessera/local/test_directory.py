"""A data directory belongs to one stack at a time, and keeps what must stay the same."""

from pathlib import Path

import pytest

from tessera.local import directory as directory_module
from tessera.local.description import read_description
from tessera.local.directory import lock_directory
from tessera.local.errors import StackError


def test_a_second_stack_is_refused_until_the_first_ends(tmp_path: Path):
    with (
        lock_directory(tmp_path),
        pytest.raises(StackError, match="another stack runs in"),
        lock_directory(tmp_path),
    ):
        pass
    with lock_directory(tmp_path):
        pass


def test_a_file_cannot_be_the_directory(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StackError, match="cannot be the data directory"), lock_directory(file):
        pass


def test_credentials_stay_the_same_and_private(tmp_path: Path):
    with lock_directory(tmp_path) as directory:
        first = directory.credentials()
        assert directory.credentials() == first
    assert (tmp_path / "credentials.json").stat().st_mode & 0o077 == 0


def test_a_long_log_is_set_aside(tmp_path: Path):
    with lock_directory(tmp_path) as directory:
        log = directory.log("gateway")
        log.write_bytes(b"x" * (directory_module.LOG_KEPT_BYTES + 1))
        assert not directory.log("gateway").exists()
    assert (tmp_path / "logs" / "gateway.log.1").exists()


def test_where_no_stack_runs_the_reader_says_so(tmp_path: Path):
    with pytest.raises(StackError, match="no stack runs in"):
        read_description(tmp_path)
