"""Only tickets that are missing twice running are replaced, and few at once."""

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from keeper.metrics import KeeperMetrics
from keeper.tickets import TicketKeeper, missing_tickets, replacements
from shared.ids import new_job_id
from shared.queue import TicketQueue
from shared.request import Priority
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_request import tiny_request

HIGH, NORMAL = ("tiny", Priority.HIGH), ("tiny", Priority.NORMAL)


def test_surplus_tickets_make_up_for_nothing():
    missing = missing_tickets({HIGH: 3, NORMAL: 2}, {HIGH: 1, NORMAL: 5})
    assert missing == {HIGH: 2}


@pytest.mark.parametrize(
    ("before", "now", "sent"),
    [
        ({}, {HIGH: 3}, {}),
        ({HIGH: 3}, {HIGH: 2}, {HIGH: 2}),
        ({HIGH: 1}, {HIGH: 4}, {HIGH: 1}),
        ({HIGH: 9, NORMAL: 9}, {HIGH: 8, NORMAL: 8}, {HIGH: 8, NORMAL: 2}),
    ],
)
def test_replacements(before, now, sent):
    assert replacements(before, now, at_once=10) == Counter(sent)


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def tickets(redis_settings):
    tickets = TicketQueue(redis_settings)
    yield tickets
    tickets.close()


def test_rounds_over_real_servers(store, tickets):
    registry = CollectorRegistry()
    wanted = [Counter({HIGH: 1}), Counter(), Counter(), Counter()]
    keeper = TicketKeeper(store, tickets, ["tiny"], KeeperMetrics(registry), lambda: wanted.pop(0))
    for _ in range(2):
        store.create(NewJob(new_job_id(), TENANT, tiny_request()))
    keeper.sweep()
    assert tickets.counts(["tiny"])[HIGH] == 1
    assert tickets.counts(["tiny"])[NORMAL] == 0
    keeper.sweep()
    assert tickets.counts(["tiny"])[NORMAL] == 2
    keeper.sweep()
    assert tickets.counts(["tiny"])[NORMAL] == 2

    def value(name, lane=NORMAL):
        return registry.get_sample_value(name, {"model": lane[0], "priority": lane[1]})

    assert value("tessera_queue_jobs") == 2
    assert value("tessera_queue_jobs", HIGH) == 0
    assert value("tessera_queue_cost") == pytest.approx(2 * tiny_request().cost)
    assert value("tessera_queue_oldest_seconds") > 0
    assert registry.get_sample_value("tessera_tickets_replaced_total") == 2
    assert registry.get_sample_value("tessera_workers", {"state": "ready"}) == 0
