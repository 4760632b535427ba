"""The hub: wakes the watchers of a job and nobody else, keeps the newest progress, closes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api.event_hub import EventHub
from shared.connections import RedisPair
from shared.job import Progress
from shared.settings import RedisSettings
from shared.store.events import progress_message

JOB, OTHER = "job_" + "1" * 32, "job_" + "2" * 32
FACT = '{"id": "1-0", "type": "status", "data": {"status": "running"}}'


@asynccontextmanager
async def running_hub(settings: RedisSettings) -> AsyncIterator[EventHub]:
    hub = EventHub(settings)
    hub.start()
    with hub.watch(JOB) as watch:
        await watch.next(5)
        assert (await watch.next(5)).facts, "woken once more by the subscription's beginning"
    yield hub
    await hub.stop()


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
        with hub.watch(JOB) as first, hub.watch(JOB) as second, hub.watch(OTHER) as other:
            for watch in (first, second, other):
                await watch.next(0)
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


def test_a_slow_watcher_finds_the_newest_progress(
    redis_settings: RedisSettings, redis_pair: RedisPair
):
    async def scenario(hub: EventHub) -> None:
        with hub.watch(JOB) as slow, hub.watch(JOB) as quick:
            await slow.next(0)
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
        with hub.watch(JOB) as watch:
            await watch.next(0)
            redis_pair.durable.client_kill_filter(_type="pubsub")
            assert (await watch.next(20)).facts
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
