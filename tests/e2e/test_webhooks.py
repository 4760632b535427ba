"""A job of a running stack calls back `tessera webhook listen`, which verifies it."""

import signal
import subprocess

import pytest

from tessera.client import Client
from tests.e2e.running import COMMAND, RunningStack

pytestmark = pytest.mark.timeout(300)  # starting a stack takes its time on a busy machine


def test_the_listener_hears_of_a_job(stack: RunningStack, client: Client):
    listen = [*COMMAND, "webhook", "listen", "--port", "0", "--data-dir", str(stack.data_dir)]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stdout
            url = listener.stdout.readline().split()[-1]
            events = ["started", "succeeded"]
            asked = {"webhook": {"url": url, "events": events}, "steps": 2, "seed": 7}
            job = client.submit("a red apple", **asked)
            heard = [listener.stdout.readline().split() for _ in events]
        finally:
            listener.send_signal(signal.SIGINT)
    # Events of one job may overtake each other.
    assert {line[1] for line in heard} == {"job.started", "job.succeeded"}
    assert {line[2] for line in heard} == {job.id}
    picture = next(line[3] for line in heard if line[1] == "job.succeeded")
    assert picture == f"{stack.url}/v1/jobs/{job.id}/images/0"
    assert client.get(job.id).status == "succeeded"
