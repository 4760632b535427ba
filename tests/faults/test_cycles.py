"""Three starts and stops under load; fifty are `python -m bench.cycles`."""

from pathlib import Path

from tests.cycles import stop_and_start
from tests.soak import serving


def test_workers_come_and_go(tmp_path: Path) -> None:
    with serving(tmp_path) as line:
        print(stop_and_start(line.processes, cycles=3, seed=1))
