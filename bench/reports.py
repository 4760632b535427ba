"""Reports of single commands: printed, and kept under bench/results/ with how they came about."""

import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_report(name: str, report: dict[str, Any]) -> None:
    """Print it, and write it to `NAME.json` with the command, the date and the machine's load."""
    told = {
        "command": shlex.join(["python", "-m", f"bench.{name}", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "load of 15 minutes": round(os.getloadavg()[2], 1),
        **report,
    }
    text = json.dumps(told, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    sys.stdout.write(text)
