"""A process that dies soon after its start is restarted more and more slowly."""

from worker.settings import Settings
from worker.supervisor import LONGEST_PAUSE_SECONDS, STABLE_SECONDS, Supervisor


def test_pauses_double_until_a_process_was_stable():
    supervisor = Supervisor(Settings())
    pauses = [supervisor._next_pause(1.0) for _ in range(9)]
    assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert supervisor._next_pause(STABLE_SECONDS + 1) == 0.0
