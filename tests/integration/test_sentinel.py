"""A master that dies behind a real Sentinel: store, tickets, subscriptions follow to the new."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from api.event_hub import EventHub
from shared.connections import connect
from shared.errors import ConfigurationError, StoreUnavailable
from shared.ids import new_job_id
from shared.queue import TicketQueue
from shared.redis_url import open_client
from shared.request import Priority
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.server import check_servers
from shared.store.values import NewJob
from tessera.local.children import Child, start_child
from tessera.local.ports import free_ports
from tessera.local.servers import valkey_binary
from tests.harness import wait_until
from tests.tiny_request import tiny_request

PASSWORD = "of-the-servers"
FAILOVER_SECONDS = 30


@dataclass(frozen=True)
class Watched:
    """A master with a replica, and one Sentinel, which wants a password of its own."""

    settings: RedisSettings
    master: Child


def serve(directory: Path, name: str, port: int, *options: str) -> Child:
    home = directory / name
    home.mkdir()
    command = [str(valkey_binary()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
    command += ["--requirepass", PASSWORD, "--primaryauth", PASSWORD, "--save", ""]
    child = start_child(name, [*command, "--repl-diskless-sync-delay", "0", *options], home / "log")
    child.wait_until(lambda: answers(port, PASSWORD), 20)
    return child


def answers(port: int, password: str) -> bool:
    try:
        with redis.Redis(port=port, password=password, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def role(port: int) -> str:
    with redis.Redis(port=port, password=PASSWORD, decode_responses=True) as client:
        return str(client.info("replication").get("master_link_status"))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    ports = free_ports(["master", "replica", "sentinel"])
    children = [serve(tmp_path, "master", ports["master"])]
    follow = ["--replicaof", f"127.0.0.1 {ports['master']}"]
    children.append(serve(tmp_path, "replica", ports["replica"], *follow))
    wait_until(lambda: role(ports["replica"]) == "up", 30, "the replica follows")
    told = tmp_path / "sentinel.conf"
    told.write_text(
        f"port {ports['sentinel']}\nbind 127.0.0.1\ndir {tmp_path}\nrequirepass of-the-sentinel\n"
        f"sentinel monitor jobs 127.0.0.1 {ports['master']} 1\n"
        f"sentinel auth-pass jobs {PASSWORD}\n"
        "sentinel down-after-milliseconds jobs 500\nsentinel failover-timeout jobs 2000\n"
    )
    command = [str(valkey_binary()), str(told), "--sentinel"]
    children.append(start_child("sentinel", command, tmp_path / "sentinel.log"))

    def knows_the_replica() -> bool:
        try:
            with redis.Redis(port=ports["sentinel"], password="of-the-sentinel") as sentinel:
                return len(sentinel.sentinel_slaves("jobs")) == 1
        except redis.RedisError:
            return False

    wait_until(knows_the_replica, 30, "the Sentinel knows both")
    url = (
        f"redis+sentinel://:{PASSWORD}@127.0.0.1:{ports['sentinel']}/jobs/0"
        "?sentinel_password=of-the-sentinel"
    )
    yield Watched(RedisSettings(redis_url=url, redis_timeout_seconds=1), children[0])
    for child in children:
        child.stop(5)


def test_everybody_follows_the_master(watched: Watched):
    pair = connect(watched.settings, name="test")
    check_servers(pair)
    store, tickets = JobStore(pair, JobSettings()), TicketQueue(watched.settings)
    request = tiny_request()
    before = new_job_id()
    store.create(NewJob(before, "acme", request))
    tickets.send(request.model, Priority.NORMAL)
    assert pair.durable.wait(1, 5_000) == 1  # the replica has it

    watched.master.stop(5)

    def created() -> bool:
        try:
            store.create(NewJob(new_job_id(), "acme", request))
        except StoreUnavailable:
            return False
        return True

    wait_until(created, FAILOVER_SECONDS, "the failover")
    assert store.get(before) is not None
    tickets.send(request.model, Priority.NORMAL)
    assert tickets.counts([request.model])[request.model, Priority.NORMAL] == 2
    asyncio.run(hears(watched.settings, store))
    tickets.close()
    pair.durable.close()


async def hears(settings: RedisSettings, store: JobStore) -> None:
    """The gateway's subscription finds the new master, too."""
    hub = EventHub(settings)
    hub.start()
    job = NewJob(new_job_id(), "acme", tiny_request())
    with hub.watch(job.id) as watch:
        assert (await watch.next(0.01)).facts  # the first look
        assert (await watch.next(20)).facts  # subscribed
        await asyncio.to_thread(store.create, job)
        assert (await watch.next(20)).facts
    await hub.stop()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "http://127.0.0.1:6379",
        "redis+sentinel://127.0.0.1:26379",
        "redis+sentinel:///jobs",
        "redis://127.0.0.1:port/0",
        "redis+sentinel://127.0.0.1:26379,other:port/jobs",
    ],
)
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(ValueError, match="must begin with"):
        RedisSettings(redis_url=url)


@pytest.mark.parametrize("where", ["redis://127.0.0.1/0", "redis+sentinel://127.0.0.1/jobs/0"])
def test_a_wrong_option_is_told(where: str):
    settings = RedisSettings(redis_url=f"{where}?socket_connect_timeout=soon")
    with pytest.raises(ConfigurationError, match="TESSERA_REDIS_URL"):
        connect(settings, name="test")


def test_an_address_of_sentinels_is_read_whole():
    url = "rediss+sentinel://me:p%40ss@a:1,b,[::1]:3/jobs/2?ssl_ca_certs=/ca&sentinel_password=x"
    client = open_client(url, client_name="test")
    pool = client.connection_pool
    asked = pool.sentinel_manager.sentinels
    told = [one.connection_pool.connection_kwargs for one in asked]
    assert [(one["host"], one["port"]) for one in told] == [("a", 1), ("b", 26379), ("::1", 3)]
    assert all(one["password"] == "x" and one["ssl_ca_certs"] == "/ca" for one in told)
    own = pool.connection_kwargs
    assert (own["username"], own["password"], own["db"]) == ("me", "p@ss", 2)
    assert (own["ssl_ca_certs"], own["client_name"]) == ("/ca", "test")
    assert pool.service_name == "jobs"
