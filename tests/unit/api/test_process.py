"""`python -m api` as a process: what it says of a wrong configuration."""

import os
import subprocess
import sys

WRONG = {
    "open to strangers": {"TESSERA_AUTH": "open", "TESSERA_HOST": "0.0.0.0"},
    "a wrong port": {"TESSERA_PORT": "99999"},
    "no models": {"TESSERA_MODELS_FILE": "/nowhere/models.toml"},
}


def test_a_wrong_configuration_is_one_line_and_status_2():
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "api"],
            env={**os.environ, **wrong},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, wrong in WRONG.items()
    }
    for name, process in started.items():
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2, name
        assert said.startswith("gateway: "), name
        assert len(said.splitlines()) == 1, name
