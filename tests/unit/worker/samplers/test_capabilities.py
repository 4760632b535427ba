"""The checked-in capabilities are what the samplers are."""

from shared.capabilities import SAMPLERS as KNOWN_TO_THE_GATEWAY
from worker.samplers.capabilities import PATH, capabilities, render


def test_the_file_is_current():
    found = capabilities()

    assert PATH.read_text(encoding="utf-8") == render(found)
    assert list(KNOWN_TO_THE_GATEWAY.values()) == found
