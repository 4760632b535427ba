"""What the policies promise, in virtual time: the real store, fair order, batcher, cost model."""

import statistics

import pytest

from bench.eta import TARGET, errors, law, trace
from bench.fairness import TARGET as MOST_MEANWHILE
from bench.fairness import run_on
from bench.simulation import Device, Simulation
from shared.request import Priority
from shared.settings import JobSettings
from shared.store.job_store import JobStore


@pytest.fixture
def store(redis_pair):
    redis_pair.durable.config_set("appendfsync", "no")
    yield JobStore(redis_pair, JobSettings())
    redis_pair.durable.config_set("appendfsync", "always")


def test_promised_times_are_about_true(store):
    jobs = trace(seed=5)
    Simulation(store, Device(law)).run(jobs)
    assert statistics.median(errors(jobs)) <= TARGET
    urgent = [job for job in jobs if job.request.priority is Priority.HIGH]
    assert statistics.median(job.first_tick - job.at for job in urgent) < 1.0


def test_a_flood_does_not_hold_up_a_late_tenant(store):
    assert run_on(store, flood=80, history=10) <= MOST_MEANWHILE
