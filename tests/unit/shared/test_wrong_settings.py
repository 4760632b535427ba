"""Settings of all three processes: a wrong one is told by its name, and not repeated."""

from collections.abc import Callable

import pytest

import api.settings
import keeper.settings
import worker.settings
from shared.errors import ConfigurationError

READERS = {
    "gateway": api.settings.read_settings,
    "keeper": keeper.settings.read_settings,
    "worker": worker.settings.read_settings,
}
WRONG = {
    "REDIS_URL": "127.0.0.1:6379",
    "SCRATCH_URL": "redis+sentinel://sentinel:26379",
    "S3_ENDPOINT_URL": "s3.example.com",
    "S3_CA_FILE": "/nowhere/ca.pem",
    "METRICS_PORT": "99999",
    "LEASE_SECONDS": "-7.25",
    "OTLP_ENDPOINT": "collector:4318",
}


@pytest.mark.parametrize("process", READERS)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, process: str, name: str):
    monkeypatch.setenv(f"TESSERA_{name}", WRONG[name])
    read: Callable[[], object] = READERS[process]
    with pytest.raises(ConfigurationError, match=f"^TESSERA_{name}: ") as told:
        read()
    assert WRONG[name] not in str(told.value)
