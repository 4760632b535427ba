"""G8: from the start of a process to its first picture, and to its compiled forms."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.gpu.subjects import Subject
from bench.gpu.timing import serving
from worker.models.building import FormPlan
from worker.models.compiling import keep_compiled
from worker.models.device import DeviceSettings


def run(subject: Subject) -> dict[str, Any]:
    """Three processes: eager, compiled with an empty cache, compiled with the one that it left."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name, compiled in (("eager", ""), ("cache_cold", cache), ("cache_warm", cache)):
            began = time.time()
            program = [sys.executable, "-m", "bench.gpu.start", subject.name, str(subject.path)]
            told = [str(subject.side), str(subject.steps), subject.place, compiled, str(began)]
            ended = subprocess.run([*program, *told], check=True, capture_output=True, text=True)
            found[name] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    """The measured process."""
    name, path, side, steps, place, cache, began = sys.argv[1:]
    if cache:
        keep_compiled(Path(cache))
    settings = DeviceSettings(device="cuda" if place == "cuda" else "cpu")
    subject = Subject(name, Path(path), int(side), int(steps), settings, tiny=False)
    model = subject.load()
    found = {"loaded_s": time.time() - float(began)}
    states: dict[str, str] = {}
    with serving(model) as engine:  # its warm-up ends with a picture
        found["first_picture_s"] = time.time() - float(began)
        if cache:
            plan = FormPlan(compiled=True, rows=(2,))
            model.readiness.build_forms(
                engine, plan, model.held, lambda form, state: states.update({form: state}), bool
            )
            found["forms_s"] = time.time() - float(began)
    print(json.dumps({**{key: round(value, 2) for key, value in found.items()}, **states}))


if __name__ == "__main__":
    main()
