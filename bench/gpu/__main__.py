"""`python -m bench.gpu [NAMES] [--tiny] [--out FILE]`: G0 to G9, each as JSON once it is done.

Without names all of it, which takes longer than ten minutes: `roof unet decode` and the others are
pieces. `--tiny` runs the same code on tiny models, on a CPU too.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench.gpu import closeness, load, pictures, start, unet
from bench.gpu.subjects import Subject, subjects

# By name: the benchmark, and the models that it has goals for.
BOTH = ("sd15", "sdxl")
BENCHMARKS: dict[str, tuple[Callable[[Subject], dict[str, Any]], tuple[str, ...]]] = {
    "roof": (unet.roof, ("sd15",)),
    "unet": (unet.run, BOTH),
    "decode": (pictures.decode, BOTH),
    "alone": (pictures.alone, BOTH),
    "under_load": (load.under_load, BOTH),
    "gap": (load.gap, BOTH),
    "beside": (load.beside, ("sd15",)),
    "offline": (pictures.offline, ("sdxl",)),
    "start": (start.run, BOTH),
    "closeness": (closeness.run, BOTH),
}
VERSIONS = ("torch", "diffusers", "transformers")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[])
    parser.add_argument("--model", choices=BOTH, help="only this one")
    parser.add_argument("--tiny", action="store_true", help="tiny models")
    parser.add_argument("--out", type=Path, help="add the results to this JSON file")
    asked = parser.parse_args()
    place = "cuda" if torch.cuda.is_available() else "cpu"
    if place == "cpu" and not asked.tiny:
        parser.error("there is no CUDA device; --tiny runs on a CPU")
    results: dict[str, Any] = {}
    if asked.out and asked.out.exists():
        results = json.loads(asked.out.read_text(encoding="utf-8"))
    results |= {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "device": torch.cuda.get_device_name() if place == "cuda" else "cpu",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tiny": asked.tiny,
    }
    with subjects(place, tiny=asked.tiny) as known:
        for name in asked.names or BENCHMARKS:
            run, models = BENCHMARKS[name]
            for model in models:
                if asked.model not in (None, model):
                    continue
                began = time.perf_counter()
                try:
                    found: Any = run(known[model])
                except Exception as error:  # noqa: BLE001 the other pieces are worth having all the same
                    found = {"failed": f"{type(error).__name__}: {error}"}
                took = round(time.perf_counter() - began, 1)
                results.setdefault(name, {})[model] = found
                line = {"name": name, "model": model, "took_s": took, **found}
                print(json.dumps(line), flush=True)
                if asked.out:
                    asked.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
                if place == "cuda":
                    torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
