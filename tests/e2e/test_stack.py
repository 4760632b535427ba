"""`tessera up`: what it keeps, what it refuses, and that it leaves nothing behind."""

import json
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tessera.answers import Job
from tessera.client import Client, Refused
from tessera.local.directory import lock_directory
from tessera.local.ports import HOST, SEAWEED_GRPC_OFFSET, free_ports
from tessera.local.servers import SEAWEED_PORTS
from tests.e2e.running import (
    COMMAND,
    STOP_SECONDS,
    RunningStack,
    await_nothing_left,
    start_up,
    tessera_up,
)
from tests.harness import wait_until

pytestmark = pytest.mark.timeout(300)  # starting a stack takes its time on a busy machine

QUICK = {"steps": 2, "seed": 7}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def seaweed_sockets(root: Path) -> list[str]:
    """Sockets left by the stack of that data directory; other stacks may run beside it."""
    ports = json.loads((root / "ports.json").read_text()).values()
    own = tuple(f"-{port + offset}.sock" for port in ports for offset in (0, SEAWEED_GRPC_OFFSET))
    left = Path(tempfile.gettempdir()).glob("seaweedfs-*.sock")
    return [entry.name for entry in left if entry.name.endswith(own)]


def test_jobs_and_pictures_outlive_ctrl_c_and_kill(stack: RunningStack, tmp_path: Path):
    port = free_ports(["gateway"])["gateway"]
    with tessera_up(tmp_path, port=port) as first, Client(first.url) as client:
        assert first.url == f"http://{HOST}:{port}"
        assert seaweed_sockets(tmp_path)
        # Beside the session's stack, and strangers to each other.
        assert client.list_jobs().data == ()
        job = client.wait(client.submit("a red apple", **QUICK).id)
        picture = client.image(job.id)
        assert first.end(signal.SIGINT) == 0
        await_nothing_left(tmp_path)
        assert seaweed_sockets(tmp_path) == []
        assert not (tmp_path / "stack.json").exists()

    with tessera_up(tmp_path, port=port) as second, Client(second.url) as client:
        assert facts(client.get(job.id)) == facts(job)
        assert client.image(job.id) == picture
        second.process.kill()
        second.process.wait()
        await_nothing_left(tmp_path)

    with tessera_up(tmp_path, port=port, TESSERA_AUTH="keys") as third:
        with Client(third.url) as stranger, pytest.raises(Refused) as refused:
            stranger.get(job.id)
        assert refused.value.status == httpx2.codes.UNAUTHORIZED
        created = run("keys", "create", "--tenant", "local", "--data-dir", str(tmp_path))
        with Client(third.url, created.stdout.strip()) as client:
            assert facts(client.get(job.id)) == facts(job)
            assert client.image(job.id) == picture

        subprocess.run(["kill", "-9", str(third.description["pids"]["gateway"])], check=True)
        assert third.process.wait(STOP_SECONDS) == 1
        assert third.process.stderr
        last = third.process.stderr.read().splitlines()[-1]
        assert last.startswith("error: gateway ended with SIGKILL")
        assert last.endswith(f"see {tmp_path}/logs/gateway.log")
        await_nothing_left(tmp_path)


def facts(job: Job) -> Job:
    """The job without its links, which are made anew at each reading."""
    images = tuple(image.model_copy(update={"url": ""}) for image in job.images)
    return job.model_copy(update={"links": {}, "images": images})


def test_ctrl_c_while_starting_leaves_nothing(tmp_path: Path):
    with start_up(tmp_path, port=free_ports(["gateway"])["gateway"]) as process:
        assert process.stderr
        while "gateway" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_SECONDS) == 0
    await_nothing_left(tmp_path)


def test_a_taken_port_is_one_clear_line(tmp_path: Path):
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        ended = run("up", "--port", str(port), "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"error: port {port} is taken; choose another with --port\n"


def test_a_directory_in_use_is_one_clear_line(stack: RunningStack):
    ended = run("up", "--port", "8080", "--data-dir", str(stack.data_dir))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: another stack runs in {stack.data_dir}")


def test_a_part_that_cannot_start_says_why(tmp_path: Path):
    port = free_ports(["gateway"])["gateway"]
    with start_up(tmp_path, port=port, TESSERA_MODELS_FILE="/nowhere.toml") as process:
        assert process.stderr
        said = process.stderr.read()
    assert process.returncode == 2
    last = said.splitlines()[-1]
    assert last.startswith("error: ")
    assert " ended with status 2 (" in last
    assert "/nowhere.toml" in last
    await_nothing_left(tmp_path)


def test_every_process_shows_its_metrics(stack: RunningStack):
    for process, url in stack.description["metrics"].items():
        assert f'tessera_build_info{{process="{process}"' in httpx2.get(url).text


def test_rq_info_shows_the_queues_and_the_worker(stack: RunningStack, client: Client):
    client.wait(client.submit("a red apple", **QUICK).id)
    rq = str(Path(COMMAND[0]).parent / "rq")
    url = stack.description["redis_url"]
    shown = subprocess.run(
        [rq, "info", "--url", url], capture_output=True, text=True, check=True
    ).stdout
    assert "emoji:normal | 0" in shown
    assert "1 workers" in shown
    assert "emoji:high, emoji:normal, emoji:low" in shown


def test_the_command_draws_and_saves(stack: RunningStack, tmp_path: Path):
    ended = run("generate", "a red apple", "-o", str(tmp_path), "--steps", "2", "--seed", "7",
                "-n", "2", "--url", stack.url)  # fmt: skip
    assert ended.stdout.splitlines() == [
        str(tmp_path / "a-red-apple-7.png"),
        str(tmp_path / "a-red-apple-8.png"),
    ]
    assert (tmp_path / "a-red-apple-8.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_leaves_the_job_and_says_how_to_stop_it(stack: RunningStack, client: Client):
    command = [*COMMAND, "generate", "a red apple", "--steps", "150", "-n", "8", "--url", stack.url]
    before = asked_for_a_job(stack)
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    # The job may run before the command has read that it was accepted; then it asks for it.
    wait_until(lambda: asked_for_a_job(stack) > before, 60, "it follows the job")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    (hint,) = said.splitlines()
    job_id = hint.rpartition(" ")[2]
    assert not client.get(job_id).done
    client.cancel(job_id)


def asked_for_a_job(stack: RunningStack) -> float:
    """How often anybody has read one job's record."""
    series = 'tessera_http_requests_total{handler="/v1/jobs/{job_id}",method="GET",status="2xx"} '
    lines = httpx2.get(stack.description["metrics"]["gateway"]).text.splitlines()
    return sum(float(line.removeprefix(series)) for line in lines if line.startswith(series))


def test_the_command_says_what_is_wrong_with_a_request(stack: RunningStack):
    ended = run("generate", "a red apple", "--steps", "1000", "--url", stack.url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "steps" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_demo_prints_the_picture_and_leaves_nothing_else(tmp_path: Path):
    before = set(Path(tempfile.gettempdir()).glob("tessera-demo-*"))
    ended = run("demo", "a red apple", "--out", str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    (path,) = ended.stdout.splitlines()
    assert Path(path).parent == tmp_path
    assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert set(Path(tempfile.gettempdir()).glob("tessera-demo-*")) == before


def test_pictures_cannot_be_had_or_changed_around_s3(stack: RunningStack, client: Client):
    job = client.wait(client.submit("a red apple", **QUICK).id)
    key = urlsplit(job.images[0].url).path
    ports = json.loads((stack.data_dir / "ports.json").read_text())
    with httpx2.Client(trust_env=False) as stranger:
        for part in SEAWEED_PORTS:
            for path in (key, f"/buckets{key}"):
                url = f"http://{HOST}:{ports[part]}{path}"
                assert stranger.get(url).is_client_error
                assert stranger.delete(url).is_client_error
    assert client.image(job.id)


def test_nobody_else_may_look_into_the_data_directory(tmp_path: Path):
    with lock_directory(tmp_path / "new") as directory:
        assert directory.root.stat().st_mode & 0o777 == 0o700
