"""The transitions' Lua files, put together and ready to be called by name."""

import math
from collections.abc import Sequence
from importlib import resources
from typing import Any

import redis
from redis.exceptions import NoScriptError

from shared.connections import store_errors
from shared.settings import JobSettings

LIBRARY = (
    "_record.lua",
    "_limits.lua",
    "_queue.lua",
    "_ahead.lua",
    "_deliveries.lua",
    "_webhooks.lua",
    "_transitions.lua",
    "_inputs.lua",
)

UNWATCHED_SECONDS = 5.0  # a longer gap between two reaps means that nobody could beat either
SWEEP_DELAY_SECONDS = 600.0  # longer than any upload that a lost attempt may still be making
CLAIM_MEMORY_SECONDS = 60  # longer than all tries of one call
WORKER_TERMS = 1.5  # a worker's record outlives its leases by half a term
EVENTS_KEPT = 200  # a job of 8 pictures and 10 attempts has fewer
HISTORY_KEPT = 20  # ended attempts of a job; drains may add to them without end
AGEING_SECONDS = 60.0  # a lane that waits longer gets a turn before higher ones,
AGED_TURN = 8  # one choice in so many
FLIGHTS_PER_TARGET = 4  # webhooks that one receiver gets at the same time,
FLIGHTS_PER_TENANT = 128  # and all receivers of one tenant


class Scripts:
    """Calls a script by its file's name: `scripts("commit", job_id, attempt_id, ...)`.

    Only hashes travel; a server that forgot a script is told it again.
    """

    def __init__(self, client: redis.Redis, settings: JobSettings) -> None:
        self._client = client
        self._prelude = _constants(settings) + "".join(_source(name) for name in LIBRARY)
        files = resources.files(__package__).iterdir()
        names = {file.name for file in files if file.name.endswith(".lua")} - set(LIBRARY)
        self._scripts = {name.removesuffix(".lua"): self._register(name) for name in names}

    def __call__(self, name: str, *args: str | int | float) -> Any:
        """Run one script. Raises StoreUnavailable."""
        script = self._scripts[name]
        with store_errors():
            try:
                return self._evaluate(self._client, script.sha, args)
            except NoScriptError:
                self._client.script_load(script.script)
                return self._evaluate(self._client, script.sha, args)

    def many(self, name: str, batch: Sequence[Sequence[str | int | float]]) -> list[Any]:
        """Run one script once for each list of arguments, in one round trip.

        The answer of a run that Redis refused is the refusal, a ResponseError. Raises
        StoreUnavailable where nothing was answered.
        """
        script = self._scripts[name]
        with store_errors():
            answers = self._send(script.sha, batch)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                self._client.script_load(script.script)
                answers = self._send(script.sha, batch)  # what did run answers the same again
        return answers

    def _send(self, sha: str, batch: Sequence[Sequence[str | int | float]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for args in batch:
            self._evaluate(pipeline, sha, args)
        return pipeline.execute(raise_on_error=False)

    @staticmethod
    def _evaluate(client: redis.Redis, sha: str, args: Sequence[str | int | float]) -> Any:
        # Not by `evalsha`, which looks for deprecated arguments in each call.
        return client.execute_command("EVALSHA", sha, 0, *args)  # type: ignore[no-untyped-call]

    def _register(self, file: str) -> Any:
        # Redis reads the flags from the first line only.
        flags, body = _source(file).split("\n", 1)
        return self._client.register_script(f"{flags}\n{self._prelude}{body}")


def _source(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


def _constants(settings: JobSettings) -> str:
    """The settings as Lua locals; times in microseconds but where the name says otherwise."""
    values = {
        "LEASE": microseconds(settings.lease_seconds),
        "RETENTION": microseconds(settings.retention_seconds),
        "INPUT_RETENTION": microseconds(settings.input_retention_seconds),
        "IDEMPOTENCY_MS": round(settings.idempotency_seconds * 1000),
        "WORKER_MS": round(settings.lease_seconds * WORKER_TERMS * 1000),
        "MAX_CRASHES": settings.max_crashes,
        "MAX_LOSSES": settings.max_host_losses,
        "MAX_FAILURES": settings.max_attempts,
        "MAX_QUEUED": settings.max_queued_jobs,
        "MAX_QUEUED_PER_TENANT": settings.max_queued_jobs_per_tenant,
        "MAX_QUEUED_COST_PER_TENANT": settings.max_queued_cost_per_tenant,
        "INPUT_BYTES_PER_DAY": settings.input_bytes_per_day_per_tenant,
        "UNWATCHED": microseconds(UNWATCHED_SECONDS),
        "SWEEP_DELAY": microseconds(SWEEP_DELAY_SECONDS),
        "CLAIM_MEMORY_SECONDS": CLAIM_MEMORY_SECONDS,
        "EVENTS_KEPT": EVENTS_KEPT,
        "HISTORY_KEPT": HISTORY_KEPT,
        "AGEING": microseconds(AGEING_SECONDS),
        "AGED_TURN": AGED_TURN,
        "FLIGHTS_PER_TARGET": FLIGHTS_PER_TARGET,
        "FLIGHTS_PER_TENANT": FLIGHTS_PER_TENANT,
        "DELIVERY_LOG_SECONDS": math.ceil(settings.webhook_log_seconds),
    }
    return "".join(f"local {name} = {value}\n" for name, value in values.items())


def microseconds(seconds: float) -> int:
    """Seconds in the unit of the scripts' clock."""
    return round(seconds * 1_000_000)
