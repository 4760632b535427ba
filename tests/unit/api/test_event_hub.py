"""The hub: wakes the watchers of a job and nobody else, keeps the newest progress, closes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api.event_hub import EventHub, Watch
from shared.connections import RedisPair
from shared.job import Progress
from shared.settings import RedisSettings
from shared.store.events import progress_message

JOB, OTHER, THIRD = ("job_" + digit * 32 for digit in "123")
FACT = '{"id": "1-0", "type": "status", "data": {"status": "running"}}'


@asynccontextmanager
async def running_hub(settings: RedisSettings) -> AsyncIterator[EventHub]:
    hub = EventHub(settings)
    hub.start()
    yield hub
    await hub.stop()


@asynccontextmanager
async def watching(hub: EventHub, job_id: str) -> AsyncIterator[Watch]:
    """A watch whose job is heard."""
    with hub.watch(job_id) as watch:
        await watch.next(0)
        await asyncio.wait_for(watch.next(60), 20)
        yield watch


def run(settings: RedisSettings, scenario: Callable[[EventHub], Awaitable[None]]) -> None:
    async def main() -> None:
        async with running_hub(settings) as hub:
            await scenario(hub)

    asyncio.run(main())


def test_the_first_look_reads_at_once(redis_settings: RedisSettings):
    async def scenario(hub: EventHub) -> None:
        with hub.watch(JOB) as watch:
            assert (await watch.next(0)).facts

    run(redis_settings, scenario)


def test_only_the_jobs_own_watchers_are_woken(redis_settings: RedisSettings, redis_pair: RedisPair):
    async def scenario(hub: EventHub) -> None:
        async with watching(hub, JOB) as first, watching(hub, OTHER) as other:
            with hub.watch(JOB) as second:
                await second.next(0)
                redis_pair.durable.publish(f"tessera:events:{JOB}", FACT)
                assert (await first.next(5)).facts
                assert (await second.next(5)).facts
            redis_pair.durable.publish(
                f"tessera:events:{OTHER}", progress_message(Progress(step=1, steps=2))
            )
            news = await other.next(5)
            assert not news.facts
            assert news.progress == Progress(step=1, steps=2)

    run(redis_settings, scenario)


def test_jobs_without_a_watcher_are_not_heard(redis_settings: RedisSettings, redis_pair: RedisPair):
    async def scenario(hub: EventHub) -> None:
        channels = [f"tessera:events:{job}" for job in (JOB, OTHER)]
        async with watching(hub, OTHER):
            for _ in range(2):
                async with watching(hub, JOB):
                    assert redis_pair.durable.pubsub_numsub(*channels) == [
                        (channels[0], 1),
                        (channels[1], 1),
                    ]
                async with watching(hub, THIRD):  # answered after what was asked before
                    assert redis_pair.durable.publish(channels[0], FACT) == 0
            assert redis_pair.durable.publish(channels[1], FACT) == 1

    run(redis_settings, scenario)


def test_a_slow_watcher_finds_the_newest_progress(
    redis_settings: RedisSettings, redis_pair: RedisPair
):
    async def scenario(hub: EventHub) -> None:
        async with watching(hub, JOB) as slow:
            with hub.watch(JOB) as quick:
                await quick.next(0)
                for step in (1, 2, 3):
                    message = progress_message(Progress(step=step, steps=3))
                    redis_pair.durable.publish(f"tessera:events:{JOB}", message)
                    news = await quick.next(5)
                    assert news.progress == Progress(step=step, steps=3)
            assert (await slow.next(5)).progress == Progress(step=3, steps=3)

    run(redis_settings, scenario)


def test_silence_is_a_reason_to_read_anyway(redis_settings: RedisSettings):
    async def scenario(hub: EventHub) -> None:
        with hub.watch(JOB) as watch:
            await watch.next(0)
            assert (await watch.next(0.01)).facts

    run(redis_settings, scenario)


def test_a_lost_connection_wakes_everybody(redis_settings: RedisSettings, redis_pair: RedisPair):
    async def scenario(hub: EventHub) -> None:
        async with watching(hub, JOB) as watch, watching(hub, OTHER) as other:
            redis_pair.durable.client_kill_filter(_type="pubsub")
            assert (await watch.next(20)).facts
            assert (await other.next(20)).facts
            redis_pair.durable.publish(f"tessera:events:{JOB}", FACT)
            assert (await watch.next(5)).facts

    run(redis_settings, scenario)


def test_closing_ends_present_and_later_watches(redis_settings: RedisSettings):
    async def scenario(hub: EventHub) -> None:
        with hub.watch(JOB) as watch:
            await watch.next(0)
            hub.close_soon()
            assert (await watch.next(5)).closing
        with hub.watch(JOB) as late:
            assert (await late.next(0)).closing

    run(redis_settings, scenario)
