"""Wrong settings end the start with one line and status 2."""

import os
import subprocess
import sys

import pytest

from shared.errors import ConfigurationError
from worker.settings import Settings, WorkerSettings, new_worker_id


def test_some_slots_are_left_for_ordinary_jobs():
    with pytest.raises(ConfigurationError, match="TESSERA_HIGH_SLOTS"):
        Settings(worker=WorkerSettings(slots=2, high_slots=2))


def test_worker_ids_are_unique():
    assert new_worker_id() != new_worker_id()


@pytest.mark.parametrize("module", ["worker", "keeper"])
def test_a_wrong_variable_is_named(module):
    run = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, "TESSERA_METRICS_PORT": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"tessera {module}: TESSERA_METRICS_PORT: ")


def test_a_list_of_models(monkeypatch):
    monkeypatch.setenv("TESSERA_WORKER_MODELS", "sd15, xl ,")

    assert WorkerSettings().worker_models == ("sd15", "xl")
    assert WorkerSettings(worker_models=("a",)).worker_models == ("a",)
