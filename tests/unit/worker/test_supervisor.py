"""A process for each GPU: kept alive, drained and left to nobody."""

import contextlib
import os
import signal
import threading

import pytest

from shared.settings import MetricsSettings
from worker import gpu_process, runtime
from worker.charge import LONGEST_PAUSE_SECONDS, STABLE_SECONDS, Charge
from worker.settings import Settings, WorkerSettings
from worker.supervisor import Supervisor


def test_pauses_double_until_a_process_was_stable():
    charge = Charge(Settings(), 0, gpu_process.live)
    pauses = [charge.next_pause(1.0) for _ in range(9)]
    assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert charge.next_pause(STABLE_SECONDS + 1) == 0.0


class Supervised:
    """A supervisor in a process of its own; its GPU processes write a line each when they begin
    and when they end."""

    def __init__(self, settings):
        self._reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = Supervisor(settings, live_on(writing)).run()
            os._exit(status)
        os.close(writing)
        self._ended = False
        self._lines = os.fdopen(self._reading)

    def lines(self, count):
        return sorted(self._lines.readline().strip() for _ in range(count))

    def close(self):
        self._lines.close()
        if not self._ended:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self):
        _, status = os.waitpid(self.pid, 0)
        self._ended = True
        return os.waitstatus_to_exitcode(status)


def live_on(writing):
    def live(settings, worker_id, record, past, lifeline):
        def write(line):
            os.write(writing, f"{os.environ['CUDA_VISIBLE_DEVICES']} {line}\n".encode())

        def orphaned():
            os.read(lifeline, 1)
            write("orphaned")
            os._exit(1)

        threading.Thread(target=orphaned, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        write(f"begins on {settings.metrics.metrics_port}")
        signal.sigwait({signal.SIGTERM})
        write("drained")
        return runtime.DRAINED

    return live


@pytest.fixture
def supervised():
    process = Supervised(
        Settings(worker=WorkerSettings(gpus="2,3"), metrics=MetricsSettings(metrics_port=9100))
    )
    assert process.lines(2) == ["2 begins on 9100", "3 begins on 9101"]
    yield process
    process.close()


def test_each_gpu_has_a_process_and_all_are_drained(supervised):
    os.kill(supervised.pid, signal.SIGTERM)
    assert supervised.lines(2) == ["2 drained", "3 drained"]
    assert supervised.wait() == 0


def test_no_process_outlives_its_supervisor(supervised):
    os.kill(supervised.pid, signal.SIGKILL)
    assert supervised.lines(2) == ["2 orphaned", "3 orphaned"]
    assert supervised.wait() == -signal.SIGKILL
