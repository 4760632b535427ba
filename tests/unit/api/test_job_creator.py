"""Jobs created together: each gets its own answer, and a lost server is everybody's."""

import asyncio

import pytest

from api.job_creator import JobCreator
from shared.connections import RedisPair, connect
from shared.errors import IdempotencyMismatch, QuotaExceeded, StoreUnavailable
from shared.ids import new_job_id
from shared.request import GenerationRequest, Output, Priority
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import Created, Idempotency, NewJob
from tessera.local.ports import free_ports

REQUEST = GenerationRequest(
    model="tiny",
    prompt="a red apple",
    negative_prompt="",
    width=64,
    height=64,
    num_images=1,
    steps=4,
    guidance_scale=1,
    sampler="euler",
    schedule="default",
    eta=0,
    seed=1,
    output=Output(),
    priority=Priority.NORMAL,
    deadline_seconds=None,
    reproducible=False,
    metadata={},
)


def create_together(
    store: JobStore, batch: list[tuple[str, Idempotency | None]]
) -> list[Created | BaseException]:
    async def main() -> list[Created | BaseException]:
        creator = JobCreator(store)
        calls = [
            asyncio.ensure_future(creator.create(NewJob(new_job_id(), tenant, REQUEST), key))
            for tenant, key in batch
        ]
        await asyncio.sleep(0)  # all of them wait by now
        creator.start()
        found = await asyncio.gather(*calls, return_exceptions=True)
        creator.stop()
        return found

    return asyncio.run(main())


def test_each_gets_its_own_answer(redis_pair: RedisPair):
    store = JobStore(redis_pair, JobSettings(max_queued_jobs_per_tenant=2))
    key, other = Idempotency("k", "1" * 64), Idempotency("k", "2" * 64)
    batch = [("ada", key), ("ada", key), ("ada", other), ("ada", None), ("ada", None), ("bob", key)]
    first, again, mismatch, second, third, bobs = create_together(store, batch)
    assert isinstance(first, Created)
    assert again == Created(first.job_id, replayed=True)
    assert isinstance(mismatch, IdempotencyMismatch)
    assert isinstance(second, Created)
    assert isinstance(third, QuotaExceeded)
    assert isinstance(bobs, Created)
    assert store.get(bobs.job_id) == bobs.job


def test_a_server_that_forgot_the_script_is_told_again(redis_pair: RedisPair):
    store = JobStore(redis_pair, JobSettings())
    redis_pair.durable.script_flush()
    found = create_together(store, [("ada", None)] * 5)
    assert all(isinstance(one, Created) for one in found)
    assert len(store.list_jobs("ada", status=None, limit=10, cursor=None)[0]) == 5


def test_a_full_server_refuses_each(redis_pair: RedisPair):
    store = JobStore(redis_pair, JobSettings())
    redis_pair.durable.config_set("maxmemory", 1)
    try:
        found = create_together(store, [("ada", None)] * 3)
    finally:
        redis_pair.durable.config_set("maxmemory", 0)
    assert all(isinstance(one, StoreUnavailable) for one in found)
    assert store.list_jobs("ada", status=None, limit=10, cursor=None)[0] == []


def test_without_a_server_everybody_hears_it():
    port = free_ports(["none"])["none"]
    settings = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
    store = JobStore(connect(settings, name="test"), JobSettings())
    found = create_together(store, [("ada", None)] * 3)
    assert all(isinstance(one, StoreUnavailable) for one in found)


def test_it_raises_as_the_store_does(redis_pair: RedisPair):
    store = JobStore(redis_pair, JobSettings(max_queued_jobs=1))
    store.create(NewJob(new_job_id(), "ada", REQUEST))
    with pytest.raises(Exception, match="full"):
        store.create(NewJob(new_job_id(), "ada", REQUEST))
