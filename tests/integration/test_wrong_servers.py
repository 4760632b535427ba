"""Servers that answer, but not for these settings: each process says so and ends with 2."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.connections import RedisPair, connect
from shared.errors import ConfigurationError
from shared.objects import ObjectStore
from shared.settings import RedisSettings, StorageSettings
from shared.store.server import check_servers
from tessera.local.children import start_child
from tessera.local.ports import free_ports
from tests.harness import READY_SECONDS, STOP_SECONDS, answers, processes, tiny_models_file
from worker.flight_record import FlightRecord
from worker.gpu_process import MISCONFIGURED, live
from worker.metrics import Inheritance
from worker.settings import read_settings

LINE = "TESSERA_S3_BUCKET: there is no such bucket"


def test_a_bucket_that_does_not_exist_and_then_does(
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage_settings: StorageSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    absent = storage_settings.model_copy(update={"s3_bucket": "nowhere"})
    models = tiny_models_file(tmp_path)
    with processes(tmp_path, redis_pair, redis_settings, absent, models) as running:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", module],
                env={**running.environment, "TESSERA_PORT": "0"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for module in ("api", "keeper")
        ]
        for process in started:
            _, said = process.communicate(timeout=100)
            assert process.returncode == 2
            assert said.strip().endswith(LINE)
            assert len(said.splitlines()) == 1
        mended = {**running.environment, "TESSERA_S3_BUCKET": storage_settings.s3_bucket}
        for module, path in (("api", "readyz"), ("keeper", "metrics")):
            port = free_ports([module])[module]
            setting = "TESSERA_PORT" if module == "api" else "TESSERA_METRICS_PORT"
            child = start_child(
                module,
                [sys.executable, "-m", module],
                tmp_path / f"{module}.log",
                {**mended, setting: str(port)},
            )
            child.wait_until(partial(answers, f"http://127.0.0.1:{port}/{path}"), READY_SECONDS)
            child.stop(STOP_SECONDS)
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        # In this process, which has imported torch already.
        reading, writing = os.pipe()
        assert live(read_settings(), "w", FlightRecord(2), Inheritance(), reading) == MISCONFIGURED
        os.close(reading)
        os.close(writing)
        assert capsys.readouterr().err.strip().endswith(LINE)


def test_credentials_that_are_wrong_or_missing(
    storage_settings: StorageSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    wrong = storage_settings.model_copy(update={"s3_secret_access_key": SecretStr("wrong")})
    none = {"s3_access_key_id": None, "s3_secret_access_key": None}
    with pytest.raises(ConfigurationError, match="S3 refuses them"):
        ObjectStore(wrong).check_settings()
    with pytest.raises(ConfigurationError, match="S3 wants credentials"):
        ObjectStore(storage_settings.model_copy(update=none)).check_settings()


@pytest.mark.parametrize("setting", ["redis_url", "scratch_url"])
def test_a_password_of_redis_that_is_wrong(setting: str, redis_settings: RedisSettings):
    url = redis_settings.redis_url.replace("redis://", "redis://stranger:secret@")
    wrong = redis_settings.model_copy(update={setting: url})
    with pytest.raises(ConfigurationError, match=f"^TESSERA_{setting.upper()}") as told:
        check_servers(connect(wrong, name="test"))
    assert "secret" not in str(told.value)
