"""A full queue under a crowd: the bound holds, every refusal says when, who obeys gets in."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2

from api.settings import Settings
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from tests.integration.conftest import StandIn, running_gateway

BODY = {"prompt": "a red apple", "width": 64, "height": 64, "steps": 1}
CROWD = 100
BOUND = 10


def waiting(store: JobStore) -> int:
    return sum(lane.jobs for lane in store.lanes().values())


def test_the_bound_holds_under_a_hundred_clients(
    gateway_settings: Settings, store: JobStore, worker: StandIn
):
    settings = replace(gateway_settings, jobs=JobSettings(max_queued_jobs=BOUND))
    done, deepest = threading.Event(), 0

    def watch() -> None:
        nonlocal deepest
        over = False
        while not over:
            over = done.wait(0.01)  # one more look at the end
            deepest = max(deepest, waiting(store))

    with running_gateway(settings) as gateway, ThreadPoolExecutor(CROWD) as pool:
        watcher = threading.Thread(target=watch)
        watcher.start()
        limits = httpx2.Limits(max_connections=CROWD)
        with httpx2.Client(base_url=gateway.url, timeout=60, limits=limits) as client:
            answers = list(pool.map(lambda _: client.post("/v1/jobs", json=BODY), range(2 * CROWD)))
            done.set()
            watcher.join()
            worker.finish()
            after = client.post("/v1/jobs", json=BODY)
    assert Counter(answer.status_code for answer in answers) == {202: BOUND, 429: 190}
    assert (deepest, waiting(store)) == (BOUND, BOUND)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["code"] for answer in refused} == {"queue_full"}
    pauses = Counter(int(answer.headers["Retry-After"]) for answer in refused)
    assert min(pauses) >= 1
    assert max(pauses.values()) < len(refused) / 2
    assert after.status_code == 202
