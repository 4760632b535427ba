"""`python -m bench.cycles`: workers started and stopped under load; the report as JSON."""

import argparse
import tempfile
from pathlib import Path

from bench.reports import write_report
from tests.cycles import stop_and_start
from tests.soak import serving


def main() -> None:
    """Run; an AssertionError is a broken promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cycles-") as folder, serving(Path(folder)) as line:
        report = stop_and_start(line.processes, arguments.cycles, arguments.seed)
    write_report("cycles", report)


if __name__ == "__main__":
    main()
