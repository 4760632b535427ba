"""The import rules: torch stays with the workers, and each contract fails on a planted breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "keeper", "shared", "tessera", "worker")

BREACHES = {
    "api, worker, keeper and the command": ("api/planted.py", "import worker.engine"),
    "shared imports none of them": ("shared/planted.py", "import keeper"),
    "torch, diffusers and transformers": ("keeper/planted.py", "import torch"),
    "the batcher and the engine loop": ("worker/engine/planted.py", "import numpy"),
    "engine, samplers and models": ("worker/models/planted.py", "import rq"),
    "FastAPI is the gateway's alone": ("worker/planted.py", "import fastapi"),
}


@pytest.mark.parametrize("module", ["api.main", "keeper", "keeper.__main__", "tessera.cli"])
def test_no_torch_outside_the_workers(module: str) -> None:
    code = f"import {module}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("contract", BREACHES)
def test_a_planted_breach_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, statement = BREACHES[contract]
    (tmp_path / file).write_text(f'"""A breach."""\n\n{statement}\n')
    linter = Path(sys.executable).parent / "lint-imports"
    run = subprocess.run(
        [linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    broken = [line for line in run.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), run.stdout
