"""Where a busy worker's time goes: `python -m bench.worker_profile`, samples by py-spy.

A local stack of its own, with unlike jobs in flight all the time. Counted are samples of threads
that ran or wanted to; waiting ones are left out, as far as py-spy can tell. The shares are written
to bench/results/, and the collapsed stacks, for flame graphs, wherever `--stacks` says.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bench.policies import GUIDANCES, SAMPLERS, STEPS
from tessera.local.description import read_description
from tessera.local.stack import running_stack

CLIENTS = 12
PROMPTS = ("a red apple", "a blue car", "a yellow star", "a house")
SAMPLES_A_SECOND = 100
SHOWN = 25
RESULT = Path(__file__).parent / "results" / "worker_profile.txt"


def main() -> None:
    """Start, load, sample, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--stacks", type=Path, default=Path("worker.collapsed"))
    arguments = parser.parse_args()
    seconds = arguments.seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(
            Path(folder), None, os.environ, threading.Event(), lambda line: None
        ) as stack,
        _load(stack.url),
    ):
        time.sleep(seconds)  # until every slot is taken
        pid = _stepping_process(Path(folder))
        command = ["record", "--pid", str(pid), "--duration", str(seconds), "--threads"]
        form = [
            "--format",
            "raw",
            "--rate",
            str(SAMPLES_A_SECOND),
            "--output",
            str(arguments.stacks),
        ]
        program = str(Path(sys.executable).with_name("py-spy"))
        subprocess.run([program, *command, *form, "--nonblocking"], check=True)
    told = "\n".join(shares(arguments.stacks.read_text()))
    RESULT.write_text(f"{told}\n")
    print(told)


@contextmanager
def _load(url: str) -> Iterator[None]:
    """Clients that always have one unlike job each in flight."""
    ended = threading.Event()

    def client(number: int) -> None:
        chance = random.Random(number)
        with httpx2.Client(base_url=url, timeout=120, trust_env=False) as http:
            while not ended.is_set():
                body: dict[str, Any] = {
                    "prompt": chance.choice(PROMPTS),
                    "steps": chance.choice(STEPS),
                    "sampler": chance.choice(SAMPLERS),
                    "guidance_scale": chance.choice(GUIDANCES),
                }
                answer = http.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
                answer.raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            yield
        finally:
            ended.set()
            for one in clients:
                one.result()


def _stepping_process(directory: Path) -> int:
    """The process with the model, which the worker's supervisor started."""
    supervisor = read_description(directory)["pids"]["worker"]
    tasks = Path(f"/proc/{supervisor}/task").iterdir()
    (pid,) = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    return pid


def shares(stacks: str) -> list[str]:
    """Of all samples: those of each thread, and those with each of our functions on the stack."""
    threads: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = thread.partition("): ")[2]
        threads[name.partition("_")[0]] += int(count)  # all job threads are one
        own = {frame.rpartition(":")[0] + ")" for frame in frames if "(worker/" in frame}
        functions.update(dict.fromkeys(own, int(count)))
    everything = sum(threads.values())
    return [
        f"{everything} samples",
        *(f"{n / everything:6.1%} {name}" for name, n in threads.most_common(SHOWN)),
        "",
        *(f"{n / everything:6.1%} {name}" for name, n in functions.most_common(SHOWN)),
    ]


if __name__ == "__main__":
    main()
