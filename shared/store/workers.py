"""The workers that are alive, as they announced themselves."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.connections import RedisPair, store_errors
from shared.pace import WorkerPace
from shared.store import keys
from shared.store.scripts import Scripts


class WorkerState(StrEnum):
    """A worker claims only while it is ready."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class HeldModel(BaseModel):
    """A model in a worker's memory, as it was measured there.

    `bytes` are its weights', `max_rows` the widest batch worth stepping (its knee), `tick_seconds`
    the time of a tick by rows, `image_seconds` that of one picture with the model's defaults.
    `attention` names the kernels in use, `attention_shapes` the one of each shape (heads x queries
    x keys x size of a head); `forms` the state of what was built of it: `unet_4` is its UNet at
    four rows. `float8`: whether its linear layers have 8 bits, `float8_decibels` how close pictures
    come with that, where it was tried.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    max_rows: int
    attention: str
    attention_shapes: dict[str, str] = {}
    forms: dict[str, str] = {}
    float8: bool = False
    float8_decibels: float | None = None
    tick_seconds: dict[int, float]
    image_seconds: float


class WorkerRecord(BaseModel):
    """One GPU process: what it holds and how fast it is. `started_at` in seconds since 1970.

    It claims for `models`; `loading` are those that it will have soon; `held` describes what is
    warm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    host: str
    models: tuple[str, ...]
    loading: tuple[str, ...] = ()
    held: dict[str, HeldModel] = {}
    max_rows: int
    state: WorkerState
    started_at: float
    pace: WorkerPace = WorkerPace()


class WorkerRegistry:
    """The part of JobStore that knows the workers. Records fade unless renewed by a beat."""

    _redis: RedisPair
    _scripts: Scripts
    _worker_seconds: float

    def announce_worker(self, worker: WorkerRecord) -> int:
        """Write the worker's record, at its start and again and again; how many workers there are.

        A beat keeps the record alive in between, and tells where it is missing.
        """
        pipeline = self._redis.durable.pipeline()
        milliseconds = round(self._worker_seconds * 1000)
        pipeline.set(keys.worker(worker.id), worker.model_dump_json(), px=milliseconds)
        pipeline.sadd(keys.WORKERS, worker.id)
        pipeline.scard(keys.WORKERS)
        with store_errors():
            count: int = pipeline.execute()[-1]
        return count

    def live_workers(self) -> list[WorkerRecord]:
        """Workers that were heard of lately, by id."""
        texts: list[str] = self._scripts("workers")
        return sorted(
            (WorkerRecord.model_validate_json(text) for text in texts),
            key=lambda worker: worker.id,
        )

    def reserve_load(self, model: str, worker_id: str) -> bool:
        """Whether this worker may load the model now: of several that want to, one does."""
        milliseconds = round(self._worker_seconds * 1000)
        with store_errors():
            free = self._redis.durable.set(keys.loading(model), worker_id, nx=True, px=milliseconds)
        return bool(free)

    def forget_worker(self, worker_id: str) -> None:
        """Drop the record of a worker that has ended."""
        pipeline = self._redis.durable.pipeline()
        pipeline.delete(keys.worker(worker_id))
        pipeline.srem(keys.WORKERS, worker_id)
        with store_errors():
            pipeline.execute()
