"""Webhooks to a receiver that fails three times in ten, and beside twenty that never answer.

A real Valkey and the keeper's sender; the schedule is scaled down. Times are from the moment at
which the transition was asked for until the request arrived.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from bench.requests import request
from keeper.metrics import KeeperMetrics
from keeper.settings import WebhookSettings
from keeper.webhooks import WebhookSender
from shared.connections import connect
from shared.ids import new_job_id
from shared.outbound.client import Outbound
from shared.outbound.settings import OutboundSettings
from shared.request import Webhook, WebhookEvent
from shared.settings import JobSettings, RedisSettings
from shared.signature import new_secret
from shared.store.deliveries import DeliveryStore
from shared.store.job_store import JobStore
from shared.store.signing import SigningSecrets
from shared.store.values import NewJob
from shared.store.webhook_route import webhook_route
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from tests.receiver import Received, answering, hanging, receiving, resetting

EVENTS = 1_000
FAILING = 0.3
SCHEDULE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6, 1.6, 1.6)
HANGING = 20
EVENTS_OF_EACH = 10
OTHERS = 100
OTHERS_PAUSE = 0.02
OWNER = "bench"


class Line:
    """Store and sender, as the keeper puts them together."""

    def __init__(self, port: int) -> None:
        redis = connect(RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0"), name="bench")
        self.store = JobStore(redis, JobSettings())
        self.deliveries = DeliveryStore(redis, JobSettings())
        self.secret = new_secret()
        signing = SigningSecrets(redis.durable)
        signing.adopt(OWNER, self.secret)
        self.sender = WebhookSender(
            self.deliveries,
            signing,
            Outbound(OutboundSettings(outbound_allow="127.0.0.0/8:*")),  # type: ignore[arg-type]
            WebhookSettings(webhook_schedule=SCHEDULE, webhook_timeout_seconds=60),
            KeeperMetrics(CollectorRegistry()),
        )
        self.asked: dict[str, float] = {}

    def end_a_job(self, url: str, tenant: str) -> None:
        """One event: a job is made and canceled."""
        job_id = new_job_id()
        hook = Webhook(url=url, events=(WebhookEvent.CANCELED,))
        asked = request(webhook=hook)
        route = webhook_route(asked, tenant, OWNER, f"https://pictures.example/v1/jobs/{job_id}")
        self.store.create(NewJob(job_id, tenant, asked, webhook=route))
        self.asked[f"msg_{job_id.removeprefix('job_')}_canceled"] = time.monotonic()
        self.store.cancel(job_id)

    def wait_until_delivered(self) -> None:
        """Return when nothing is pending."""
        while self.deliveries.pending():
            time.sleep(0.05)


@contextmanager
def running_line() -> Iterator[Line]:
    """A line on a Valkey of its own, its sender at work."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as directory:
        root = Path(directory)
        port = free_ports(["valkey"])["valkey"]
        valkey = start_valkey(root / "valkey", root / "valkey.log", port)
        try:
            line = Line(port)
            line.sender.start()
            yield line
            line.sender.stop()
        finally:
            valkey.stop(5)


def failing_receiver() -> dict[str, Any]:
    """Every event of many arrives at last, with one body, and none before its time."""
    chance = random.Random(7)
    arrivals: dict[str, float] = {}

    async def moody(received: Received, writer: asyncio.StreamWriter) -> None:
        arrivals.setdefault(received.id, time.monotonic())
        failure = chance.choice([answering(500), answering(429), resetting])
        await (failure if chance.random() < FAILING else answering(204))(received, writer)

    with running_line() as line, receiving(moody) as receiver:
        began = time.monotonic()
        with ThreadPoolExecutor(4) as threads:
            for _ in range(EVENTS):
                threads.submit(line.end_a_job, receiver.url, "ada")
        line.wait_until_delivered()
        seconds = time.monotonic() - began
        tries = len(receiver.verified(line.secret))
        bodies = receiver.bodies()
        early = sum(arrivals[event] < asked for event, asked in line.asked.items())
    return {
        "events": EVENTS,
        "delivered": len(bodies),
        "tries": tries,
        "most_bodies_of_one_id": max(map(len, bodies.values())),
        "before_commit": early,
        "seconds": round(seconds, 2),
    }


def hanging_receivers() -> dict[str, Any]:
    """How long others wait for their first try while one tenant's receivers hang."""
    arrivals: dict[str, float] = {}

    async def noting(received: Received, writer: asyncio.StreamWriter) -> None:
        arrivals[received.id] = time.monotonic()
        await answering(204)(received, writer)

    with running_line() as line, receiving(noting) as receiver:
        with receiving(hanging, ports=HANGING) as slow:
            for url in slow.urls * EVENTS_OF_EACH:
                line.end_a_job(url, "eve")
            line.asked.clear()
            for number in range(OTHERS):
                line.end_a_job(receiver.url, f"tenant{number % 10}")
                time.sleep(OTHERS_PAUSE)
            while len(arrivals) < OTHERS:
                time.sleep(0.05)
            hung = len(slow.received)
        delays = sorted(arrivals[event] - asked for event, asked in line.asked.items())
    return {
        "hanging_receivers": HANGING,
        "requests_that_hung": hung,
        "others": OTHERS,
        "first_try_delay_p50_ms": round(statistics.median(delays) * 1000, 1),
        "first_try_delay_max_ms": round(delays[-1] * 1000, 1),
    }


def run() -> dict[str, Any]:
    """Both measurements."""
    return {"failing": failing_receiver(), "hanging": hanging_receivers()}


if __name__ == "__main__":
    sys.stdout.write(f"{run()}\n")
