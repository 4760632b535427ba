"""Over HTTP: when a job will be done, what it would cost, and deadlines that cannot be met."""

from dataclasses import replace

import httpx2
import pytest

from api.settings import Settings
from shared.pace import ModelPace, SizePace, WorkerPace
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.workers import WorkerRecord, WorkerState
from tests.harness import wait_until
from tests.integration.conftest import StandIn, running_gateway

JOB = {"prompt": "a red apple", "steps": 10, "seed": 7}
PACE = WorkerPace(
    models=(
        ModelPace(
            model="tiny",
            max_rows=4,
            sizes=(SizePace(pixels=128 * 128, tick_seconds={2: 1.0, 4: 2.0}, served_seconds=1.0),),
            prepare_seconds=0.5,
            picture_seconds=0.5,
            load_seconds=0.0,
        ),
    ),
    slots=2,
)
WORKER = WorkerRecord(
    id="w",
    host="h",
    models=("tiny",),
    max_rows=4,
    state=WorkerState.READY,
    started_at=1.0,
    pace=PACE,
)


def dry_run(client: httpx2.Client) -> dict:
    answer = client.post("/v1/jobs?dry_run=true", json=JOB)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_dry_run_tells_the_price_and_queues_nothing(client: httpx2.Client, store: JobStore):
    told = dry_run(client)
    assert told["cost"] == pytest.approx(2 * 10 * 128 * 128 / 1e6)
    assert told["queue"] == {"position": 0, "eta_seconds": None}
    assert told["warnings"][0]["code"] == "no_worker"
    assert store.lanes() == {}
    assert client.post("/v1/jobs?dry_run=maybe", json=JOB).status_code == 422

    store.announce_worker(WORKER)
    wait_until(lambda: dry_run(client)["queue"]["eta_seconds"] is not None, 10)
    assert dry_run(client)["queue"] == {"position": 0, "eta_seconds": 11.0}


def test_who_meets_a_full_queue_is_told_when_a_tenth_of_it_is_done(
    gateway_settings: Settings, store: JobStore
):
    full = replace(gateway_settings, jobs=JobSettings(max_queued_jobs=20))
    with running_gateway(full) as gateway:
        client = gateway.client
        store.announce_worker(WORKER)
        wait_until(lambda: dry_run(client)["queue"]["eta_seconds"] is not None, 10)
        for _ in range(20):
            assert client.post("/v1/jobs", json=JOB).status_code == 202
        refused = client.post("/v1/jobs", json=JOB)
    assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
    # Twenty jobs of ten ticks each, two of them at a time in ticks of two seconds.
    tenth = 20 * 10 * 2.0 / 2 / 10
    assert tenth <= int(refused.headers["Retry-After"]) <= max(tenth * 1.5, tenth + 4) + 1


def test_a_deadline_that_cannot_be_met_is_refused(
    client: httpx2.Client, store: JobStore, worker: StandIn
):
    store.announce_worker(WORKER)
    wait_until(lambda: dry_run(client)["queue"]["eta_seconds"] is not None, 10)
    refused = client.post("/v1/jobs", json={**JOB, "deadline_seconds": 5})
    assert refused.status_code == 422
    assert refused.json()["code"] == "deadline_unreachable"
    assert "11 s" in refused.json()["detail"]

    taken = client.post("/v1/jobs", json={**JOB, "deadline_seconds": 60}).json()
    assert taken["queue"] == {"position": 0, "eta_seconds": 11.0}
    assert client.get("/v1/jobs").json()["data"][0]["queue"] == taken["queue"]
    worker.finish()
    ended = client.get(f"/v1/jobs/{taken['id']}").json()
    assert ended["queue"] is None
    assert ended["expires_at"] > ended["finished_at"]
