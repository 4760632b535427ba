"""One seeded trace of unlike requests through each way of serving, rounds interleaved.

All have the bundled model, two cores and nothing else. ComfyUI is not among them, which is on
no package index, nor compiled pipelines: compiling for a CPU takes longer than all rounds.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import httpx2

from bench.figures import ratios, summary
from bench.peers.litserve_server import MOST_IN_BATCH
from bench.peers.pipelines import Body, draw, load
from bench.service import start_python
from tessera.local.ports import HOST, free_ports
from tessera.local.servers import start_valkey
from tessera.local.stack import running_stack

REQUESTS = 8
ROUNDS = 5
OVERLOAD = 1.2  # of what one pipeline does, one request after the other
STEPS = (4, 6, 10)  # as 20, 30 and 50 would be, in a fifth of the time
SAMPLERS = ("euler", "dpmpp_2m", "unipc")
GUIDANCES = (1.0, 5.0, 7.5)
PROMPTS = ("a red apple", "a blue car", "a yellow star", "a house")
POLL_SECONDS = 0.02
READY_SECONDS = 300
PNG = b"\x89PNG"


@dataclass(frozen=True)
class Asked:
    """A request and the second at which it comes."""

    at: float
    body: Body


@dataclass(frozen=True)
class Played:
    """Seconds from each request's coming to its picture, and until the last one had it."""

    waits: list[float]
    seconds: float


Way = Callable[[Sequence[Asked]], Played]
Ask = Callable[[httpx2.AsyncClient, Body], Awaitable[bytes]]


def make_trace(seed: int, rate: float) -> list[Asked]:
    """Mixed requests, `rate` a second."""
    chance = random.Random(seed)
    moment = 0.0
    trace = []
    for number in range(REQUESTS):
        body = Body(
            prompt=chance.choice(PROMPTS),
            steps=chance.choice(STEPS),
            sampler=chance.choice(SAMPLERS),
            guidance_scale=chance.choice(GUIDANCES),
            seed=number,
        )
        trace.append(Asked(moment, body))
        moment += chance.expovariate(rate)
    return trace


def in_batches(pipeline: Any, most: int) -> Way:
    """In this process: batches of up to `most` like requests, led by the oldest that waits."""

    def key(asked: Asked) -> tuple[int, str, float]:
        return asked.body.steps, asked.body.sampler, asked.body.guidance_scale

    def play(trace: Sequence[Asked]) -> Played:
        began = time.perf_counter()
        left = list(trace)
        waits = []
        while left:
            time.sleep(max(left[0].at - (time.perf_counter() - began), 0))
            now = time.perf_counter() - began
            like = [asked for asked in left if asked.at <= now and key(asked) == key(left[0])]
            batch = like[:most]
            draw(pipeline, [asked.body for asked in batch])
            now = time.perf_counter() - began
            waits += [now - asked.at for asked in batch]
            left = [asked for asked in left if asked not in batch]
        return Played(waits, time.perf_counter() - began)

    return play


def over_http(url: str, ask: Ask) -> Way:
    """Each request by a client of its own, who asks as this server is asked."""

    async def play(trace: Sequence[Asked]) -> Played:
        began = time.perf_counter()
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=url, timeout=120, trust_env=False, limits=limits
        ) as http:

            async def one(asked: Asked) -> float:
                await asyncio.sleep(asked.at)
                assert (await ask(http, asked.body)).startswith(PNG)
                return time.perf_counter() - began - asked.at

            waits = await asyncio.gather(*(one(asked) for asked in trace))
        return Played(list(waits), time.perf_counter() - began)

    return lambda trace: asyncio.run(play(trace))


async def ask_tessera(http: httpx2.AsyncClient, body: Body) -> bytes:
    """The answer leads to the picture itself."""
    headers = {"Prefer": "wait=60", "Accept": "image/png"}
    answer = await http.post(
        "/v1/jobs", json=body.model_dump(), headers=headers, follow_redirects=True
    )
    return answer.raise_for_status().content


async def ask_litserve(http: httpx2.AsyncClient, body: Body) -> bytes:
    """The answer is the picture."""
    return (await http.post("/predict", json=body.model_dump())).raise_for_status().content


async def ask_rq(http: httpx2.AsyncClient, body: Body) -> bytes:
    """Asked again until the picture is there."""
    job_id = (await http.post("/jobs", json=body.model_dump())).raise_for_status().json()
    while (answer := await http.get(f"/jobs/{job_id}")).status_code == 202:
        await asyncio.sleep(POLL_SECONDS)
    return answer.raise_for_status().content


@contextmanager
def litserve(directory: Path) -> Iterator[Way]:
    """LitServe, ready."""
    port = free_ports(["litserve"])["litserve"]
    module = ["bench.peers.litserve_server", str(port)]
    child = start_python(directory, "litserve", module, {})
    try:
        child.wait_until(lambda: _is_well(port, "/health"), READY_SECONDS)
        yield over_http(f"http://{HOST}:{port}", ask_litserve)
    finally:
        child.stop(10)
        with suppress(ProcessLookupError):  # its own processes may outlive it
            os.killpg(child.pid, signal.SIGKILL)


@contextmanager
def rq_fork(directory: Path) -> Iterator[Way]:
    """FastAPI and RQ's forking worker on a Valkey of their own, ready."""
    ports = free_ports(["valkey", "gateway"])
    valkey = start_valkey(directory / "rq-valkey", directory / "rq-valkey.log", ports["valkey"])
    environment = {"REDIS_URL": f"redis://{HOST}:{ports['valkey']}/0"}
    module = "bench.peers.rq_service"
    gateway = start_python(
        directory, "rq-gateway", [module, "gateway", str(ports["gateway"])], environment
    )
    worker = start_python(directory, "rq-worker", [module, "worker"], environment)
    try:
        gateway.wait_until(lambda: _is_well(ports["gateway"], "/docs"), READY_SECONDS)
        yield over_http(f"http://{HOST}:{ports['gateway']}", ask_rq)
    finally:
        for child in (worker, gateway, valkey):
            child.stop(10)


@contextmanager
def tessera(directory: Path) -> Iterator[Way]:
    """The local stack, ready."""
    with running_stack(
        directory / "tessera", None, os.environ, Event(), lambda line: None
    ) as stack:
        yield over_http(stack.url, ask_tessera)


def _is_well(port: int, path: str) -> bool:
    try:
        return httpx2.get(f"http://{HOST}:{port}{path}", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def serial_seconds(way: Way) -> float:
    """What a mean request takes, one after the other."""
    trace = [Asked(0.0, asked.body) for asked in make_trace(0, 1.0)]
    way(trace[:2])  # warms up
    return way(trace).seconds / len(trace)


def run() -> dict[str, Any]:
    """Medians over rounds, each with a trace of its own that all ways get."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        directory = Path(name)
        pipeline = load()
        ways = {
            "tessera": servers.enter_context(tessera(directory)),
            "diffusers_serial": in_batches(pipeline, 1),
            "diffusers_like_batches": in_batches(pipeline, MOST_IN_BATCH),
            "litserve": servers.enter_context(litserve(directory)),
            "rq_fork": servers.enter_context(rq_fork(directory)),
        }
        rate = OVERLOAD / serial_seconds(ways["diffusers_serial"])
        for way in ways.values():
            way([Asked(0.0, asked.body) for asked in make_trace(0, rate)[:2]])
        played: dict[str, list[Played]] = {name: [] for name in ways}
        for number in range(1, 1 + ROUNDS):
            trace = make_trace(number, rate)
            for name, way in ways.items():
                played[name].append(way(trace))
    own = [statistics.mean(one.waits) for one in played["tessera"]]
    found: dict[str, Any] = {"requests_per_second": round(rate, 2)}
    for name, rounds in played.items():
        means = [statistics.mean(one.waits) for one in rounds]
        found[name] = {
            "images_per_second": summary([REQUESTS / one.seconds for one in rounds], 2),
            "mean_s": summary(means, 2),
            "p99_s": summary([max(one.waits) for one in rounds], 2),
            "our_mean_of_it": ratios(own, means, 2),
        }
    return found


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
