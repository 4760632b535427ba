"""Children log to their file, tell how they ended, and die with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tessera.local.children import ChildFailed, start_child

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_child_that_ends_is_told_with_its_last_words_and_its_log(tmp_path: Path):
    log = tmp_path / "part.log"
    child = start_child("part", [sys.executable, "-c", "import sys; sys.exit('no model')"], log)
    with pytest.raises(ChildFailed, match=r"part ended with status 1 \(no model\); see .*part.log"):
        child.wait_until(lambda: False, 10)


def test_a_killed_child_is_told_by_the_signal(tmp_path: Path):
    child = start_child("part", SLEEPER, tmp_path / "part.log")
    child.process.kill()
    child.process.wait()
    with pytest.raises(ChildFailed, match=r"ended with SIGKILL \(nothing said\)"):
        child.check()


def test_a_child_that_is_not_ready_in_time_is_stopped(tmp_path: Path):
    child = start_child("part", SLEEPER, tmp_path / "part.log")
    with pytest.raises(ChildFailed, match="not ready after"):
        child.wait_until(lambda: False, 0.05)
    assert child.process.returncode == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    log = tmp_path / "part.log"
    child = start_child("part", [sys.executable, "-c", f"{deaf}\nsignal.pause()"], log)
    child.wait_until(lambda: log.read_text() == "deaf\n", 10)
    child.stop(0.1)
    assert child.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_killed_parent_leaves_no_child(tmp_path: Path):
    program = (
        "from pathlib import Path\n"
        "from tessera.local.children import start_child\n"
        f"print(start_child('part', {SLEEPER!r}, Path({str(tmp_path / 'part.log')!r})).pid)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        child_pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while _is_running(child_pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A container without an init leaves orphans as zombies.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
