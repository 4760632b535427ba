"""The shipped Redis users: each process can do its work, and reads no secret of another."""

import dataclasses
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from api.settings import AuthMode, Settings
from shared.connections import RedisPair, connect
from shared.errors import ConfigurationError
from shared.job import JobStatus
from shared.outbound.settings import OutboundSettings
from shared.settings import ModelSettings, RedisSettings, StorageSettings
from shared.store import keys
from shared.store.api_key import Scope
from shared.store.keyring import Keyring
from shared.store.server import check_servers
from tessera.local.children import start_child
from tessera.local.ports import free_ports
from tessera.local.servers import valkey_binary
from tests.conftest import ValkeyServer
from tests.harness import QUICK, processes, tiny_models_file, wait_until
from tests.integration.conftest import running_gateway
from tests.receiver import receiving

DEPLOYED = Path(__file__).parents[2] / "deploy" / "redis"
USERS = (DEPLOYED / "users.acl").read_text().splitlines()
NAMES = ("gateway", "keeper", "worker", "monitor")
LOOPBACK = "127.0.0.0/8:*"


@pytest.fixture
def users(valkey: ValkeyServer, redis_settings: RedisSettings) -> Iterator[dict[str, str]]:
    """The address of the server for each user; the default user stays, for the test's own eyes."""
    with redis.Redis(port=valkey.port) as admin:
        for line in USERS:
            _, name, *rules = line.split()
            if name != "default":
                admin.execute_command("ACL", "SETUSER", name, "reset", *rules)
        admin.acl_log_reset()
        yield {
            name: f"redis://{name}:{name.upper()}_SECRET@127.0.0.1:{valkey.port}/0"
            for name in NAMES
        }
        admin.acl_deluser(*NAMES)


def test_a_job_and_its_webhook_go_through_with_each_process_its_own_user(
    users: dict[str, str],
    valkey: ValkeyServer,
    redis_pair: RedisPair,
    gateway_settings: Settings,
    storage_settings: StorageSettings,
    tmp_path: Path,
) -> None:
    models_file = tiny_models_file(tmp_path)
    settings = dataclasses.replace(
        gateway_settings,
        gateway=gateway_settings.gateway.model_copy(update={"auth": AuthMode.KEYS}),
        redis=RedisSettings(redis_url=users["gateway"]),
        models=ModelSettings(models_file=models_file),
        outbound=OutboundSettings(outbound_allow=LOOPBACK),
    )
    with redis.Redis.from_url(users["gateway"], decode_responses=True) as client:
        _, key = Keyring(client).create("acme", Scope)
    own = RedisSettings(redis_url=valkey.url)
    with (
        receiving() as receiver,
        running_gateway(settings) as gateway,
        processes(tmp_path, redis_pair, own, storage_settings, models_file) as running,
        running.worker(redis_url=users["worker"]),
        running.keeper(redis_url=users["keeper"], outbound_allow=LOOPBACK),
    ):
        headers = {"Authorization": f"Bearer {key}"}
        body = {"prompt": "a dot", **QUICK, "width": 64, "height": 64}
        first, second = (
            gateway.client.post(
                "/v1/jobs", json={**body, "webhook": {"url": receiver.url}}, headers=headers
            ).json()["id"]
            for _ in range(2)
        )
        gateway.client.post(f"/v1/jobs/{second}/cancel", headers=headers)
        running.wait_for([first], JobStatus.SUCCEEDED, 60)
        wait_until(lambda: len(receiver.received) >= 2, 30, "both webhooks")
        running.check_invariants([first, second])
        gateway.client.delete(f"/v1/jobs/{first}", headers=headers)
    refused = [(one["username"], one["object"]) for one in redis_pair.durable.acl_log()]
    assert refused == []


@pytest.mark.parametrize("name", ["worker", "keeper"])
def test_neither_worker_nor_keeper_reads_api_keys(users: dict[str, str], name: str) -> None:
    with redis.Redis.from_url(users[name]) as client:
        for key in (keys.API_KEYS, keys.api_key("x"), keys.LINK_SECRET):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.type(key)


def test_a_worker_reads_no_webhook_secret(users: dict[str, str]) -> None:
    with redis.Redis.from_url(users["worker"]) as client:
        for key in (keys.signing("x"), keys.former_signing("x")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.type(key)
            with pytest.raises(redis.exceptions.ResponseError, match="ermission"):
                client.eval(f"return redis.call('GET', '{key}')", 0)


def test_the_compose_files_server_starts_with_the_secrets_of_its_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / "redis-server").symlink_to(valkey_binary())
    port = free_ports(["redis"])["redis"]
    command = ["sh", str(DEPLOYED / "start.sh"), "--port", str(port), "--dir", str(tmp_path)]
    environment = {
        **{f"{name.upper()}_SECRET": f"{name}0123456789" for name in NAMES},
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
    }
    server = start_child("redis", command, tmp_path / "log", environment)

    def answers() -> bool:
        try:
            with redis.Redis(port=port, username="monitor", password="monitor0123456789") as client:
                return client.ping()
        except redis.ConnectionError:
            return False

    server.wait_until(answers, 30)
    refused = f"redis://:monitor0123456789@127.0.0.1:{port}/0"
    with pytest.raises(ConfigurationError, match="TESSERA_REDIS_URL"):
        check_servers(connect(RedisSettings(redis_url=refused), name="test"))
    server.stop(5)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_changes_the_server(users: dict[str, str], name: str) -> None:
    with redis.Redis.from_url(users[name]) as client:
        assert client.ping()
        for command in (("FLUSHALL",), ("CONFIG", "SET", "appendonly", "no"), ("ACL", "LIST")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_a_worker_has_every_key_that_is_not_known_to_be_anothers(users: dict[str, str]) -> None:
    """A new key fails here until users.acl grants it, or it is listed as none of the worker's."""
    constants = {value for value in vars(keys).values() if str(value).startswith("tessera:")}
    makers = [make for _, make in inspect.getmembers(keys, inspect.isfunction)]
    samples = constants | {
        make(*["x"] * len(inspect.signature(make).parameters)) for make in makers
    }
    secrets = {keys.API_KEYS, keys.LINK_SECRET, keys.api_key("x")}
    secrets |= {keys.signing("x"), keys.former_signing("x")}
    others = {keys.idempotency("x", "x"), keys.control("x")}  # the gateway's, and a channel
    with redis.Redis.from_url(users["worker"]) as client:
        for key in samples - secrets - others:
            client.type(key)
