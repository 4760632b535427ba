"""Which models a worker holds follows what is waited for in the store, and what others hold."""

import shutil

import pytest

from shared.store.workers import WorkerRecord, WorkerState
from tests.unit.worker.conftest import WORKER_ID
from worker.residency import Residency

PATIENCE_SECONDS = 1000.0


@pytest.fixture
def shelf(new_shelf, shelf_engine):
    """Holds `one`, and knows `two`."""
    shelf = new_shelf(1.5)
    shelf.fill()
    shelf.warm_up(shelf_engine)
    return shelf


@pytest.fixture
def told():
    """What the worker told of itself: what it loads, and what it claims for."""
    return []


@pytest.fixture
def residency(store, shelf, shelf_engine, attempts, told):
    def announce():
        told.append((shelf.loading, shelf.claimable.ids))

    return Residency(WORKER_ID, store, shelf, shelf_engine, attempts, PATIENCE_SECONDS, announce)


def other_worker(**fields):
    facts = {"id": "w2", "host": "h", "models": (), "max_rows": 8, "started_at": 0.0}
    return WorkerRecord(**facts | {"state": WorkerState.READY} | fields)


def test_a_model_that_is_waited_for_comes_and_tells_so(residency, shelf, submit, told):
    submit(model="two")
    residency.check()

    assert shelf.claimable.ids == ("two",)
    assert told == [(("two",), ("one",)), (("two",), ()), ((), ("two",))]


def test_nothing_happens_while_nobody_waits_for_it(residency, shelf, submit, told):
    submit(model="one")
    residency.check()

    assert (shelf.claimable.ids, told) == (("one",), [])


def test_a_model_with_work_stays_until_the_patience_is_at_its_end(residency, shelf, submit, told):
    submit(model="one")
    submit(model="two")
    residency.check()

    assert (shelf.claimable.ids, told) == (("one",), [])


@pytest.mark.parametrize("fields", [{"models": ("two",)}, {"loading": ("two",)}])
def test_what_another_worker_has_is_left_to_it(residency, shelf, submit, store, told, fields):
    submit(model="two")
    store.announce_worker(other_worker(**fields))
    residency.check()
    assert (shelf.claimable.ids, told) == (("one",), [])

    store.forget_worker("w2")
    residency.check()
    assert shelf.claimable.ids == ("two",)


def test_of_two_workers_that_would_load_a_model_one_does(residency, shelf, submit, store):
    submit(model="two")
    assert store.reserve_load("two", "w2")
    residency.check()

    assert shelf.claimable.ids == ("one",)


def test_a_model_whose_files_broke_is_left_alone_for_a_while(
    residency, shelf, submit, entries, tmp_path, redis_pair, told
):
    broken = shutil.copytree(entries[1].path, tmp_path / "broken")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    shelf.entries["two"] = entries[1].model_copy(update={"path": broken})
    submit(model="two")
    residency.check()
    assert (shelf.loading, shelf.claimable.ids) == ((), ("one",)), "nobody left for it"

    told.clear()
    redis_pair.durable.delete("tessera:loading:two")
    residency.check()
    assert told == []


def test_an_ending_worker_begins_nothing(residency, shelf, submit):
    submit(model="two")
    residency.request_stop()
    residency.check()

    assert shelf.claimable.ids == ("one",)
