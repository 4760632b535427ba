"""A periodic action goes on after outages and defects, comes when woken, and ends when told."""

import threading

from shared.errors import StoreUnavailable
from shared.periodic import Periodic


class Action:
    """Raises what it is given, call by call, and tells when that was all."""

    def __init__(self, *errors):
        self._errors = list(errors)
        self.calls = 0
        self.calm = threading.Event()

    def __call__(self):
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        self.calm.set()


def test_it_goes_on_after_errors(caplog):
    action = Action(StoreUnavailable("away"), ValueError("a defect"))
    periodic = Periodic("test", 0.001, action)
    periodic.start()
    assert action.calm.wait(10)
    periodic.stop()
    assert [record.message for record in caplog.records] == ["test: away", "test failed"]


def test_it_comes_at_once_when_woken():
    action = Action()
    periodic = Periodic("test", 3600, action)
    periodic.start()
    assert action.calm.wait(10)
    action.calm.clear()
    periodic.wake()
    assert action.calm.wait(10)
    periodic.stop()
    assert action.calls == 2
