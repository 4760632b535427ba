"""An upgrade under load, as the chart rolls it out: no request fails, no job is lost or told twice.

A gateway or keeper is started before its forerunner ends; a worker ends first, since a GPU is not
there twice. A gateway's forerunner stays for its preStop pause, in which the last of its clients
hear that it goes; both are shorter here than in a cluster.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from shared.connections import RedisPair
from shared.job import JobStatus
from shared.settings import RedisSettings, StorageSettings
from tessera.local.children import Child
from tessera.local.ports import free_ports
from tests.harness import READY_SECONDS, Processes, answers, processes, tiny_models_file
from tests.receiver import Receiver

pytestmark = pytest.mark.timeout(300)  # five processes start, which takes its time when busy

GRACE_SECONDS = 90  # the chart's; a pod has half a minute more
CLIENTS = 3
PRE_STOP_SECONDS, LAG_SECONDS = 1.0, 0.5
ENDED = {"succeeded", "failed", "canceled", "expired"}
EVENTS = ["started", "succeeded", "failed"]


@dataclass
class Service:
    """What a Kubernetes Service is to its clients: each request goes to the next ready pod."""

    urls: list[str] = field(default_factory=list)
    asked: int = 0

    def next(self) -> str:
        self.asked += 1
        urls = self.urls  # another thread may replace it
        return urls[self.asked % len(urls)]


@dataclass(frozen=True)
class Load:
    """Clients that submit a job, read it until it has ended, and submit the next."""

    service: Service
    webhook: str
    over: threading.Event
    submitted: list[str] = field(default_factory=list)
    refused: list[httpx2.Response] = field(default_factory=list)

    def run(self) -> None:
        body = {"prompt": "a ball", "webhook": {"url": self.webhook, "events": EVENTS}}
        with httpx2.Client(timeout=30) as client:
            while not self.over.is_set():
                answer = client.post(f"{self.service.next()}/v1/jobs", json=body)
                if not self.good(answer):
                    return
                job = answer.json()
                self.submitted.append(job["id"])
                patience = time.monotonic() + 2 * READY_SECONDS
                while job["status"] not in ENDED and time.monotonic() < patience:
                    time.sleep(0.05)
                    answer = client.get(f"{self.service.next()}/v1/jobs/{job['id']}")
                    if not self.good(answer):
                        return
                    job = answer.json()

    def good(self, answer: httpx2.Response) -> bool:
        if answer.is_error:
            self.refused.append(answer)
        return answer.is_success


@pytest.fixture
def fleet(
    tmp_path: Path,
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage_settings: StorageSettings,
) -> Iterator[Processes]:
    """Nothing runs yet."""
    with processes(
        tmp_path,
        redis_pair,
        redis_settings,
        storage_settings,
        tiny_models_file(tmp_path),
        auth="open",
        grace_seconds=GRACE_SECONDS,
    ) as started:
        yield started


def start(fleet: Processes, children: list[Child], name: str, module: str) -> tuple[Child, str]:
    """A gateway or a keeper that is ready, and its address."""
    ports = free_ports(["own", "metrics"])
    url = f"http://127.0.0.1:{ports['own']}"
    told = {"port": ports["own"], "metrics_port": ports["metrics"]}
    child = fleet.start(name, module, told)
    children.append(child)
    probe = f"{url}/readyz" if module == "api" else f"http://127.0.0.1:{ports['metrics']}/metrics"
    child.wait_until(lambda: answers(probe), READY_SECONDS)
    return child, url


def end(child: Child, seconds: float) -> None:
    """As a pod is ended; it must be gone by itself, and content."""
    child.process.terminate()
    assert child.process.wait(seconds) == 0


def test_an_upgrade_is_noticed_by_nobody(fleet: Processes, receiver: Receiver):
    service, children = Service(), list[Child]()
    load = Load(service, receiver.url, threading.Event())
    gateways = [start(fleet, children, f"gateway-{k}", "api") for k in range(2)]
    service.urls = [url for _, url in gateways]
    keeper, _ = start(fleet, children, "keeper-0", "keeper")
    try:
        with fleet.worker("worker-0") as worker, ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(load.run) for _ in range(CLIENTS)]
            try:
                for k, (gateway, url) in enumerate(gateways):
                    _, another = start(fleet, children, f"gateway-{k + 2}", "api")
                    service.urls = [*service.urls, another]
                    threading.Timer(LAG_SECONDS, leave, (service, url)).start()
                    time.sleep(PRE_STOP_SECONDS)  # the pause itself, nothing that is awaited
                    end(gateway, 45)
                start(fleet, children, "keeper-1", "keeper")
                end(keeper, 30)
                end(worker, GRACE_SECONDS + 30)
                waiting = len(load.submitted)
                with fleet.worker("worker-1"):
                    fleet.wait_for(list(load.submitted), JobStatus.SUCCEEDED, READY_SECONDS)
                    load.over.set()
                    for client in clients:
                        client.result(READY_SECONDS)
            finally:
                load.over.set()
            ids = load.submitted
            assert load.refused == []
            assert len(ids) >= waiting > CLIENTS
            assert fleet.statuses(ids) == {JobStatus.SUCCEEDED: len(ids)}
            fleet.check_invariants(ids)
            fleet.check_webhooks(receiver, ids)
            assert len(receiver.received) == 2 * len(ids), "each event was sent once"
    finally:
        for child in children:
            child.stop(10)


def leave(service: Service, url: str) -> None:
    """The clients hear that this pod goes."""
    service.urls = [one for one in service.urls if one != url]
