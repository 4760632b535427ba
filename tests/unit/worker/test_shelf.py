"""Models come and go beside running work, within the budget."""

import threading
import weakref

import pytest

from shared.errors import ConfigurationError
from shared.ids import new_attempt_id
from shared.job import Job
from tests.tiny_request import tiny_request
from worker.attempts import Attempt
from worker.engine.sample import EngineStopped, Kind

PATIENCE = 60


def loaded(registry):
    samples = registry.get_sample_value
    return [
        name for name in ("one", "two") if samples("tessera_model_loaded", {"model": name}) == 1
    ]


def test_as_many_as_fit_are_loaded_and_then_warmed(new_shelf, shelf_engine, registry):
    shelf = new_shelf(1.5)
    shelf.fill()
    assert (tuple(shelf.models), shelf.loading, shelf.claimable.ids) == (("one",), ("one",), ())
    shelf.warm_up(shelf_engine)

    assert (shelf.loading, shelf.claimable.ids, tuple(shelf.places)) == ((), ("one",), ("one",))
    assert loaded(registry) == ["one"]
    held = shelf.places["one"].held
    assert held.bytes == shelf.bytes_of("one")
    assert set(held.attention_shapes.values()) == set(held.attention.split("+"))


def test_what_is_measured_is_what_was_estimated(new_shelf):
    shelf = new_shelf(1.5)
    estimated = shelf.bytes_of("one")
    shelf.fill()

    assert shelf.models["one"].weight_bytes == pytest.approx(estimated, rel=0.01)


def test_one_that_does_not_fit_alone_is_refused(new_shelf):
    with pytest.raises(ConfigurationError, match="more than TESSERA_MODEL_MEMORY_GIB"):
        new_shelf(0.9)


def test_loading_does_not_stop_the_ticks(new_shelf, shelf_engine):
    shelf = new_shelf(1.5)
    shelf.fill()
    shelf.warm_up(shelf_engine)
    shelf.budget_bytes *= 2
    loading = threading.Thread(target=shelf.load, args=("two", shelf_engine))
    request = tiny_request(model="one", steps=2)
    finished_meanwhile = 0
    loading.start()
    while loading.is_alive():
        (sample,), _ = shelf.models["one"].prepare("job", request, 0, Kind.ORDINARY)
        shelf_engine.submit([sample])
        assert sample.finished.result(PATIENCE).isfinite().all()
        finished_meanwhile += loading.is_alive()

    loading.join()
    assert finished_meanwhile > 0
    assert shelf.claimable.ids == ("one", "two")


def test_a_model_leaves_when_its_jobs_are_done(
    new_shelf, shelf_engine, attempts, registry, steppers
):
    shelf = new_shelf(1.5)
    shelf.fill()
    shelf.warm_up(shelf_engine)
    unet = weakref.ref(shelf.models["one"].unet)
    attempt = attempt_at("one")
    attempts.add(attempt)
    leaving = threading.Thread(
        target=shelf.evict, args=("one", shelf_engine, attempts, lambda: False)
    )
    leaving.start()
    leaving.join(0.1)
    assert leaving.is_alive()
    assert "one" in shelf.models, "a job in flight needs it"
    assert shelf.claimable.ids == ()
    attempts.remove(attempt)
    leaving.join(PATIENCE)

    assert not leaving.is_alive()
    assert (shelf.models, shelf.places, steppers) == ({}, {}, {})
    assert unet() is None, "its memory is free"
    assert loaded(registry) == []
    assert registry.get_sample_value("tessera_model_evictions_total", {"model": "one"}) == 1


def test_an_ending_worker_waits_for_no_model_to_leave(new_shelf, shelf_engine, attempts):
    shelf = new_shelf(1.5)
    shelf.fill()
    shelf.warm_up(shelf_engine)
    attempts.add(attempt_at("one"))

    with pytest.raises(EngineStopped):
        shelf.evict("one", shelf_engine, attempts, lambda: True)
    assert "one" in shelf.models


def attempt_at(model):
    request = tiny_request(model=model)
    job = Job(id="job_1", tenant="t", status="running", created_at=0.0, request=request)
    return Attempt(job, new_attempt_id(), suspect=False, sequence=0)
