"""The command's own answers: one line for what went wrong, no traceback."""

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "tessera"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_a_service_that_does_not_answer_is_one_line():
    ended = run("generate", "a red apple", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 1
    assert ended.stderr == "error: no answer from http://127.0.0.1:9; is Tessera running?\n"


def test_keys_of_a_stack_that_does_not_run_is_one_line(tmp_path: Path):
    ended = run("keys", "create", "--tenant", "t", "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"error: no stack runs in {tmp_path}; start one with `tessera up`\n"


def test_the_command_loads_neither_torch_nor_the_stack():
    program = "import tessera.cli, sys; print({'torch', 'shared', 'boto3'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout == "set()\n"
