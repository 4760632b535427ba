"""Each process is told the stack's addresses; what else the caller set stays."""

from pathlib import Path

import pytest

from shared.outbound.addresses import may_dial
from shared.outbound.settings import OutboundSettings
from tessera.local.environment import PROCESSES, StackAddresses, process_environment

ADDRESSES = StackAddresses(
    port=8080,
    valkey=6400,
    seaweed={"s3": 8333, "master": 9333},
    metrics={"gateway": 9101, "keeper": 9102, "worker": 9103},
)


def environment_of(process: str, **inherited: str) -> dict[str, str]:
    return process_environment(process, ADDRESSES, ("key", "secret"), "whsec_made", inherited)


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


def test_loopback_is_open_but_for_the_stacks_own_ports():
    told = environment_of("gateway")["TESSERA_OUTBOUND_ALLOW"]
    ranges = OutboundSettings(outbound_allow=told).outbound_allow
    own = {8080, 6400, 8333, 9333, 18_333, 19_333, 9101, 9102, 9103}
    assert ADDRESSES.own_ports == own
    for address in ("127.0.0.1", "127.9.9.9", "::1"):
        dialled = {
            port
            for port in (1, 65_535, *own, *(port + 1 for port in own))
            if may_dial(address, port, encrypted=False, opened=ranges)
        }
        assert dialled == {1, 65_535, *(port + 1 for port in own)} - own
    assert not may_dial("10.0.0.1", 80, encrypted=False, opened=ranges)


def test_only_the_keeper_knows_the_webhook_secret():
    for inherited in ({}, {"TESSERA_WEBHOOK_SECRET": "whsec_own"}):
        told = {
            process: environment_of(process, **inherited).get("TESSERA_WEBHOOK_SECRET")
            for process in PROCESSES
        }
        expected = inherited.get("TESSERA_WEBHOOK_SECRET", "whsec_made")
        assert told == {"gateway": None, "keeper": expected, "worker": None}
