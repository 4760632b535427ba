"""How soon a worker hears of a cancellation, and how many ticks begin after it has heard.

A real store and a real control channel, and the real engine with the bundled model; each job is
cancelled in mid-sampling, with seven others in the batch.
"""

import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import of_all, p99, summary
from bench.requests import request
from shared.catalog import load_catalog
from shared.connections import connect
from shared.ids import new_attempt_id, new_job_id
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from worker.attempts import Attempt, Attempts
from worker.control import Control
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.sample import Kind, Sample
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.runtime import SWITCH_SECONDS

MODELS = Path(__file__).parent.parent / "models" / "models.toml"
ROUNDS = 5
CANCELLATIONS = 40  # a round
COMPANY = 7
STEPS = 150
SMALL = {"width": 64, "height": 64, "guidance_scale": 1.0, "sampler": "euler"}
WORKER = "bench"


@dataclass
class Heard:
    """The moment the worker heard, and the ticks begun until then."""

    at: float
    tick: int


class Line:
    """Store, control channel and engine, as a worker puts them together."""

    def __init__(self, port: int) -> None:
        redis = connect(RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0"), name="bench")
        self.store = JobStore(redis, JobSettings())
        entry = load_catalog(MODELS).models[0]
        self.model = load_model(entry, DeviceSettings())
        self.engine = Engine(
            Batcher(lambda _: 2 * (COMPANY + 1)), {entry.id: self.model.stepper}, lambda _: None
        )
        self.attempts = Attempts(COMPANY + 1, self._cancel)
        self.control = Control(redis.durable, WORKER, self.attempts)
        self._samples: dict[str, Sample] = {}
        self._heard: dict[str, Heard] = {}
        self._sequence = 0

    def _cancel(self, job_id: str) -> None:
        self._heard[job_id] = Heard(time.perf_counter(), self._samples[job_id].tick)
        self.engine.cancel(job_id)

    def begin(self, **fields: Any) -> Attempt:
        """Create, claim and submit one job; `fields` of its request instead of the usual."""
        self._sequence += 1
        usual = {"model": self.model.entry.id, "steps": STEPS, **SMALL}
        asked = request(seed=self._sequence, **usual | fields)
        job_id = self.store.create(NewJob(new_job_id(), "bench", asked)).job_id
        claim = self.store.claim([asked.model], new_attempt_id(), WORKER)
        assert claim is not None
        assert claim.job.id == job_id
        attempt = Attempt(claim.job, claim.attempt_id, suspect=False, sequence=self._sequence)
        samples, _ = self.model.prepare(job_id, asked, self._sequence, Kind.ORDINARY)
        attempt.samples = samples
        self._samples[job_id] = samples[0]
        self.attempts.add(attempt)
        self.engine.submit(samples)
        return attempt

    def cancel(self, attempt: Attempt) -> tuple[float, int]:
        """(milliseconds until the worker heard, ticks begun after that)."""
        job_id, sample = attempt.job.id, self._samples[attempt.job.id]
        while sample.tick < 2:
            threading.Event().wait(0.001)
        asked = time.perf_counter()
        self.store.cancel(job_id)
        sample.finished.exception()
        self.attempts.remove(attempt)
        heard = self._heard[job_id]
        return (heard.at - asked) * 1000, sample.tick - heard.tick


def run() -> dict[str, Any]:
    """Cancel many jobs, one after the other, each taken out of a full batch."""
    switch_before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        port = free_ports(["valkey"])["valkey"]
        server = start_valkey(directory / "data", directory / "log", port)
        line = Line(port)
        line.engine.start()
        line.control.start()
        company = [line.begin() for _ in range(COMPANY)]
        rounds: list[list[tuple[float, int]]] = []
        for _ in range(ROUNDS):
            measured = []
            for _ in range(CANCELLATIONS):
                company.append(line.begin())
                measured.append(line.cancel(company.pop(0)))
            rounds.append(measured)
        line.control.stop()
        line.engine.stop()
        line.model.close()
        server.stop(5)
    sys.setswitchinterval(switch_before)
    heard = [[milliseconds for milliseconds, _ in measured] for measured in rounds]
    ticks_after = [[ticks for _, ticks in measured] for measured in rounds]
    return {
        "cancellations": ROUNDS * CANCELLATIONS,
        "heard_ms_p50": summary([statistics.median(own) for own in heard], 2),
        "heard_ms_p99": of_all(p99, heard, 2),
        "target_heard_ms_p99": 100,
        "ticks_begun_after_most": of_all(max, ticks_after),
        "target_ticks_begun_after": 2,
    }


if __name__ == "__main__":
    print(run())
