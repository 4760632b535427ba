"""The metrics port serves what was registered, and says when it cannot."""

import urllib.request

import pytest
from prometheus_client import Counter

from shared.errors import ConfigurationError
from shared.metrics import new_registry, serve_metrics
from shared.settings import MetricsSettings


def test_serves_own_and_common_series():
    registry = new_registry("test")
    Counter("tessera_apples", "Apples.", registry=registry).inc(3)
    server = serve_metrics(MetricsSettings(metrics_port=0), registry)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    server.close()
    assert "tessera_apples_total 3.0" in text
    assert 'tessera_build_info{process="test"' in text
    assert "process_resident_memory_bytes" in text


def test_a_taken_port_is_a_configuration_error():
    first = serve_metrics(MetricsSettings(metrics_port=0), new_registry("test"))
    with pytest.raises(ConfigurationError, match=str(first.port)):
        serve_metrics(MetricsSettings(metrics_port=first.port), new_registry("test"))
    first.close()
