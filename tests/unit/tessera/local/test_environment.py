"""Each process is told the stack's addresses; what else the caller set stays."""

from pathlib import Path

import pytest

from tessera.local.environment import PROCESSES, StackAddresses, process_environment

ADDRESSES = StackAddresses(
    port=8080,
    valkey=6400,
    seaweed={"s3": 8333, "master": 9333},
    metrics={"gateway": 9101, "keeper": 9102, "worker": 9103},
)


def environment_of(process: str, **inherited: str) -> dict[str, str]:
    return process_environment(process, ADDRESSES, ("key", "secret"), inherited)


def test_each_process_has_its_own_metrics_port():
    ports = {environment_of(process)["TESSERA_METRICS_PORT"] for process in PROCESSES}
    assert ports == {"9101", "9102", "9103"}


def test_the_stack_wins_over_a_foreign_store_but_not_over_limits():
    told = environment_of(
        "worker",
        TESSERA_REDIS_URL="redis://elsewhere",
        TESSERA_SCRATCH_URL="redis://elsewhere",
        TESSERA_SLOTS="4",
        PATH="/bin",
    )
    assert told["TESSERA_REDIS_URL"] == "redis://127.0.0.1:6400/0"
    assert "TESSERA_SCRATCH_URL" not in told
    assert told["TESSERA_SLOTS"] == "4"
    assert told["PATH"] == "/bin"


@pytest.mark.parametrize(("asked", "expected"), [({}, "open"), ({"TESSERA_AUTH": "keys"}, "keys")])
def test_open_unless_the_caller_wants_keys(asked: dict[str, str], expected: str):
    assert environment_of("gateway", **asked)["TESSERA_AUTH"] == expected


def test_a_relative_models_file_is_the_callers():
    told = environment_of("worker", TESSERA_MODELS_FILE="mine.toml")
    assert told["TESSERA_MODELS_FILE"] == str(Path.cwd() / "mine.toml")


def test_the_default_models_file_is_the_bundled_one():
    assert Path(environment_of("worker")["TESSERA_MODELS_FILE"]).is_file()
