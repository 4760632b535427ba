"""A soak: jobs come while a seeded nemesis strikes; at the end every promise is looked at."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.connections import connect
from tessera.local.children import Child
from tests.harness import (
    POLL_SECONDS,
    SLOWED_WORKER,
    WEBHOOK_SECRET,
    Processes,
    gpu_process_of,
    kill,
    processes,
    tiny_models_file,
)
from tests.receiver import Receiver, receiving
from tests.servers import Servers

LEASE_SECONDS = 4.0
OUTAGE_SECONDS = 2.0
STEP_SECONDS = 0.05
STRIKE_SECONDS = 4.0  # the mean pause between two strikes
POISON = {"width": 128, "height": 64}  # pictures of no other job
POISON_SIDE = 16  # of its latent
MAX_CRASHES = 6  # over ten minutes nobody is killed so often by chance
REPEATED_SHARE = 0.1  # of all steps, at most
DRAIN_SECONDS = 600.0  # for the last jobs, once nobody strikes any more


@dataclass(frozen=True)
class Line:
    """What is struck: servers and processes of the soak's own."""

    servers: Servers
    processes: Processes
    receiver: Receiver
    max_crashes: int


@contextmanager
def serving(directory: Path, max_crashes: int = MAX_CRASHES) -> Iterator[Line]:
    """Servers and a keeper; the soak starts the workers."""
    servers = Servers(directory)
    pair = connect(servers.redis_settings, name="soak")
    try:
        with (
            receiving() as receiver,
            processes(
                directory,
                pair,
                servers.redis_settings,
                servers.storage,
                tiny_models_file(directory),
                lease_seconds=LEASE_SECONDS,
                slots=8,
                checkpoint_seconds=1,
                slowed_step_seconds=STEP_SECONDS,
                slowed_poison_side=POISON_SIDE,
                max_crashes=max_crashes,
            ) as running,
            running.keeper(),
        ):
            yield Line(servers, running, receiver, max_crashes)
    finally:
        pair.durable.close()
        servers.stop()


class Soak:
    """The same seed submits the same jobs and strikes in the same order."""

    def __init__(self, line: Line, seed: int, workers: int) -> None:
        self._servers, self._running, self._receiver = line.servers, line.processes, line.receiver
        self._seed = seed
        self._max_crashes = line.max_crashes
        self._random = random.Random(seed)
        self._workers = workers
        self._children: list[Child] = []
        self._started = 0
        self._history: list[dict[str, Any]] = []
        self._began = time.monotonic()

    def run(self, jobs: int, seconds: float, *, poisoned: bool = False) -> dict[str, Any]:
        """Submit all jobs within `seconds` under strikes, let them end, check; the report.

        `poisoned`: one more among them kills whatever process it runs in.
        """
        ids: list[str] = []
        poison: list[str] = []
        strikes: list[Callable[[], None]] = [
            self._kill_process,
            self._kill_process,
            self._kill_host,
            self._stop_gently,
            self._suspend,
            self._restart_valkey,
            self._restart_s3,
        ]
        try:
            due = time.monotonic() + STRIKE_SECONDS
            for number in range(jobs):
                self._keep_up()
                ids += self._submit(number)
                if poisoned and number == jobs // 2:
                    self._note("poison")
                    poison = self._submit(jobs, **POISON)
                if time.monotonic() > due:
                    self._random.choice(strikes)()
                    due = time.monotonic() + self._random.expovariate(1 / STRIKE_SECONDS)
                time.sleep(seconds / jobs)
            self._note("quiet")
            deadline = time.monotonic() + DRAIN_SECONDS
            left = ids + poison
            while left := [job.id for job in self._running.jobs(left) if not job.status.terminal]:
                assert time.monotonic() < deadline, self._running.statuses(left)
                self._keep_up()
                time.sleep(10 * POLL_SECONDS)
        finally:
            for child in self._children:
                child.stop(20)
        self._running.check_invariants(ids + poison)
        self._running.check_webhooks(self._receiver, ids + poison)
        for job in self._running.jobs(poison):
            assert job.error is not None
            assert job.error.code == "worker_lost"
            assert [one.how for one in job.history].count("crashed") == self._max_crashes
        return self._report(ids)

    def _submit(self, number: int, **fields: object) -> list[str]:
        steps = self._random.randint(20, 140)
        usual = {"steps": steps, "guidance_scale": 1.0, "seed": number}
        return self._running.submit(webhook_url=self._receiver.url, **usual | fields)

    def _report(self, ids: list[str]) -> dict[str, Any]:
        found = self._running.jobs(ids)
        errors = Counter(job.error.code for job in found if job.error)
        assert not errors, errors
        steps = sum(job.request.steps for job in found)
        strikes = Counter(
            entry["what"] for entry in self._history if entry["what"] not in ("quiet", "poison")
        )
        later = [line for line in self._log_lines() if line["message"] == "a later attempt begins"]
        repeated = sum(line["repeated"] for line in later)
        assert repeated <= REPEATED_SHARE * steps
        return {
            "seed": self._seed,
            "jobs": len(ids),
            "webhooks": len(self._receiver.bodies()),
            "strikes": sum(strikes.values()),
            "strikes by kind": strikes,
            "attempts": sum(job.attempts for job in found),
            "steps": steps,
            "steps saved": sum(line["saved"] for line in later),
            "steps repeated": repeated,
            "repeated share": round(repeated / steps, 4),
            "seconds": round(time.monotonic() - self._began),
            "history": self._history,
        }

    def _log_lines(self) -> Iterator[dict[str, Any]]:
        for log in self._running.directory.glob("soak-*.log"):
            for line in log.read_text().splitlines():
                if line.startswith("{"):
                    yield json.loads(line)

    def _keep_up(self) -> None:
        """As many workers as there shall be, whatever became of the last ones."""
        self._receiver.verified(WEBHOOK_SECRET)  # a signature is good for some minutes only
        self._children = [child for child in self._children if child.process.poll() is None]
        while len(self._children) < self._workers:
            self._started += 1
            name = f"soak-{self._started}"
            self._children.append(self._running.start(name, SLOWED_WORKER))

    def _note(self, what: str, **facts: object) -> None:
        entry = {"at": round(time.monotonic() - self._began, 1), "what": what, **facts}
        self._history.append(entry)

    def _any_worker(self) -> Child:
        return self._random.choice(self._children)

    def _kill_process(self) -> None:
        child = self._any_worker()
        self._note("process killed", worker=child.name)
        for pid in gpu_processes_of(child):
            kill(pid)

    def _kill_host(self) -> None:
        child = self._any_worker()
        self._note("host lost", worker=child.name)
        kill(child.pid, *gpu_processes_of(child))

    def _stop_gently(self) -> None:
        child = self._any_worker()
        self._note("drained", worker=child.name)
        child.process.terminate()

    def _suspend(self) -> None:
        child = self._any_worker()
        self._note("suspended", worker=child.name)
        pids = gpu_processes_of(child)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS + 2)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def _restart_valkey(self) -> None:
        self._note("redis away")
        self._servers.valkey.stop(5)
        time.sleep(OUTAGE_SECONDS)
        self._servers.start_valkey()

    def _restart_s3(self) -> None:
        self._note("s3 away")
        self._servers.seaweed.stop(10)
        time.sleep(OUTAGE_SECONDS)
        self._servers.start_seaweed()


def gpu_processes_of(child: Child) -> list[int]:
    """The supervisor's child, unless it is between two."""
    try:
        return [gpu_process_of(child)]
    except (AssertionError, FileNotFoundError):
        return []
