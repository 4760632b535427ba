"""The gateway's settings, read from the environment, and what is said of wrong ones."""

import pytest

from api.settings import AuthMode, GatewaySettings, is_loopback, read_settings
from shared.errors import ConfigurationError


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("TESSERA_PORT", "9000")
    monkeypatch.setenv("TESSERA_PUBLIC_URL", "https://images.example.com/")
    settings = read_settings().gateway
    assert settings.port == 9000
    assert settings.auth is AuthMode.KEYS
    assert settings.base_url == "https://images.example.com"


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "many"), ("AUTH", "none"), ("S3_LINK_SECONDS", "0")]
)
def test_a_wrong_value_is_named_and_not_repeated(monkeypatch, name: str, value: str):
    monkeypatch.setenv(f"TESSERA_{name}", value)
    with pytest.raises(ConfigurationError, match=f"TESSERA_{name}: "):
        read_settings()


def test_links_of_a_gateway_that_listens_everywhere():
    assert GatewaySettings(host="0.0.0.0", port=80).base_url == "http://localhost:80"


def test_loopback():
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("", "0.0.0.0", "example.com", "127.0.0.1.x"))
