"""`python -m bench.soak`: jobs under seeded kills, stops and drains; the invariants at the end."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.soak import Soak, serving


def main() -> None:
    """Run one soak and print what happened, as JSON; an AssertionError is a broken promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory, serving(Path(directory)) as line:
        soak = Soak(line, arguments.seed, arguments.workers)
        report = soak.run(arguments.jobs, arguments.seconds)
    sys.stdout.write(json.dumps({"command": sys.argv[1:], **report}, indent=2) + "\n")


if __name__ == "__main__":
    main()
