"""A full queue under 100 parallel clients: how soon they are refused, and how deep the queue gets.

`python -m bench.full_queue`, on a machine that does nothing else.
"""

import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.service import running_service
from shared.connections import connect
from shared.settings import JobSettings
from shared.store.job_store import JobStore

CLIENTS = 100
SECONDS = 10.0
BOUND = 50
TARGET_MS = 200
BODY = json.dumps({"prompt": "a red apple", "steps": 20})


def run() -> dict[str, Any]:
    """Percentiles of every answer, by status, and the deepest queue that was seen."""
    environment = {"TESSERA_AUTH": "open", "TESSERA_MAX_QUEUED_JOBS": str(BOUND)}
    with tempfile.TemporaryDirectory() as name, running_service(Path(name), environment) as service:
        store = JobStore(connect(service.redis, name="bench"), JobSettings())
        stop = threading.Event()
        deepest = 0

        def watch() -> None:
            nonlocal deepest
            while not stop.wait(0.02):
                deepest = max(deepest, sum(lane.jobs for lane in store.lanes().values()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        ready = threading.Barrier(CLIENTS)
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = [
                one
                for answers in pool.map(lambda _: _client(service.url, ready), range(CLIENTS))
                for one in answers
            ]
        stop.set()
        watcher.join()
    cuts = statistics.quantiles([seconds * 1000 for _, seconds in found], n=100)
    return {
        "clients": CLIENTS,
        "answers": dict(Counter(status for status, _ in found)),
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
        "target_p99_ms": TARGET_MS,
        "bound": BOUND,
        "deepest": deepest,
    }


def _client(url: str, ready: threading.Barrier) -> list[tuple[int, float]]:
    """One that comes again soon, whatever it is told; (status, seconds) of each answer."""
    found = []
    # The lightest there is: a hundred of them share a processor with the gateway.
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.connect()
    ready.wait()
    until = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < until:
        connection.request("POST", "/v1/jobs", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        found.append((answer.status, time.perf_counter() - began))
        time.sleep(0.5)  # two tries a second each: a crowd, not a flood of one machine
    connection.close()
    return found


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
