"""Keepers that die while they send: each event still arrives, under one id and with one body."""

from pathlib import Path

from shared.connections import RedisPair
from shared.settings import RedisSettings, StorageSettings
from shared.store.scripts import FLIGHTS_PER_TARGET
from tests.harness import kill, processes, tiny_models_file, wait_until
from tests.receiver import answering, hanging, receiving

JOBS = 10


def test_a_keeper_is_killed_in_mid_post(
    tmp_path: Path,
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage_settings: StorageSettings,
) -> None:
    with (
        receiving(hanging) as receiver,
        processes(
            tmp_path,
            redis_pair,
            redis_settings,
            storage_settings,
            tiny_models_file(tmp_path),
            webhook_timeout_seconds=2,
            webhook_schedule="0.2 0.2",
        ) as running,
    ):
        ids = running.submit(JOBS, webhook_url=receiver.url, tickets=0)
        for job_id in ids:
            running.store.cancel(job_id)
        with running.keeper("victim") as victim:
            wait_until(lambda: len(receiver.received) >= FLIGHTS_PER_TARGET, 30)
            kill(victim.pid)
        cut_short = {received.id for received in receiver.received}
        receiver.behaviour = answering(204)
        with running.keeper("one"), running.keeper("other"):
            running.check_webhooks(receiver, ids)
        assert len(receiver.bodies()) == JOBS
        again = {received.id for received in receiver.received[len(cut_short) :]}
        assert cut_short <= again
