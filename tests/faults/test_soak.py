"""Half a minute of strikes at every part; the full soak is `python -m bench.soak`."""

from pathlib import Path

import pytest

from tests.soak import Soak, serving


@pytest.mark.timeout(400)
def test_a_short_soak(tmp_path: Path) -> None:
    with serving(tmp_path) as line:
        report = Soak(line, seed=1, workers=2).run(jobs=60, seconds=30)
    print(report)
