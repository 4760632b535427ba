"""What was compiled is kept for processors of its own kind."""

import os
import subprocess
import sys

import pytest

# Compiles one function, and prints how far its answer is from torch's own.
SCRIPT = """
import sys

import pytest
from pathlib import Path
import torch
from worker.models.compiling import compile_fixed, keep_compiled

keep_compiled(Path(sys.argv[1]))

def forward(x):
    return torch.nn.functional.silu(x) / x.exp().sum(1, keepdim=True)

x = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
with torch.inference_mode():
    print((compile_fixed(forward)(x) - forward(x)).abs().max().item())
"""


@pytest.mark.timeout(300)
def test_a_folder_that_unlike_processors_share_is_right_for_each(tmp_path):
    for known in ({}, {"ATEN_CPU_CAPABILITY": "default"}):  # this machine, and one less able
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)],
            env={**os.environ, **known},
            capture_output=True,
            text=True,
            check=True,
        )
        assert float(done.stdout) < 1e-6
