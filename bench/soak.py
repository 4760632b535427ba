"""`python -m bench.soak`: jobs under seeded kills, stops and drains; the report as JSON."""

import argparse
import tempfile
from pathlib import Path

from bench.reports import write_report
from tests.soak import Soak, serving


def main() -> None:
    """Run one soak; an AssertionError is a broken promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory, serving(Path(directory)) as line:
        soak = Soak(line, arguments.seed, arguments.workers)
        report = soak.run(arguments.jobs, arguments.seconds, poisoned=True)
    write_report("soak", report)


if __name__ == "__main__":
    main()
