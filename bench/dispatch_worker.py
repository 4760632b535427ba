"""The dispatch bench's workers, each a process: ours with a stub for the job, or RQ's SimpleWorker.

A job says through a pipe when it has begun and when it has ended, and does nothing else.
"""

import os
import signal
import struct
import sys
import time
from functools import lru_cache

from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from shared.connections import connect
from shared.ids import attempt_prefix
from shared.job import StoredImage, Timing
from shared.queue import connect_rq
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from worker.attempts import Attempt, Attempts
from worker.claimable import ClaimableModels
from worker.queue_worker import QueueWorker
from worker.settings import WorkerSettings

PIPE = "BENCH_PIPE"
MODEL = "bench"
RQ_QUEUE = "bench-rq"
BEGUN, ENDED = b"b", b"e"
MESSAGE = struct.Struct("=cd")  # what has happened, and when on the machine's monotonic clock
LEDGER_SECONDS = 5
BURST = 16  # for which there is room beside the slots that are kept for high jobs
SWITCH_SECONDS = 0.0005  # as worker.runtime, which would bring torch along


def trivial() -> None:
    """RQ's job."""
    say(BEGUN)
    say(ENDED)


def say(what: bytes) -> None:
    """Tell the bench; a write of so few bytes is never mixed with another's."""
    os.write(_pipe(), MESSAGE.pack(what, time.monotonic()))


@lru_cache
def _pipe() -> int:
    return os.open(os.environ[PIPE], os.O_WRONLY)


def run_ours(settings: RedisSettings) -> None:
    """Our loop, claiming from the store; a job's picture is told and its end committed."""
    store = JobStore(connect(settings, name="bench-worker"), JobSettings())

    def work(attempt: Attempt) -> None:
        say(BEGUN)
        job, attempt_id = attempt.job, attempt.attempt_id
        key = attempt_prefix(job.tenant, job.id, attempt_id) + "0.png"
        told = StoredImage(
            index=0, key=key, seed=0, width=512, height=512, format="png", bytes=1, sha256="0" * 64
        )
        store.add_image(job.id, attempt_id, told)
        store.commit(job.id, attempt_id, timing=Timing())
        say(ENDED)

    high_slots = WorkerSettings().high_slots
    worker = QueueWorker(
        "tessera-bench",
        ClaimableModels([MODEL]),
        [MODEL],
        high_slots,
        connect_rq(settings, name="bench-worker"),
        store,
        Attempts(BURST + high_slots, lambda job_id: None),
        work,
        lambda: True,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.request_stop())
    sys.setswitchinterval(SWITCH_SECONDS)
    worker.ledger.start()
    worker.run()
    worker.ledger.close(LEDGER_SECONDS)


def run_rqs(settings: RedisSettings) -> None:
    """RQ's loop that runs jobs in its own process."""
    connection = connect_rq(settings, name="bench-rq")
    queue = Queue(RQ_QUEUE, connection=connection, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
    worker.log_job_description = False
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    {"ours": run_ours, "rq": run_rqs}[sys.argv[1]](RedisSettings())
