"""The checked-in capabilities are what the samplers are; `deploy.check` compares all of them."""

import pytest

from shared.samplers import SAMPLERS as KNOWN_TO_THE_GATEWAY
from shared.samplers import SCHEDULE_LABELS
from worker.samplers.capabilities import capability
from worker.samplers.catalog import SAMPLERS, SCHEDULES


def test_the_gateway_knows_every_sampler_and_schedule():
    assert list(KNOWN_TO_THE_GATEWAY) == list(SAMPLERS)
    assert list(SCHEDULE_LABELS) == list(SCHEDULES)
    for name, sampler in SAMPLERS.items():
        known = KNOWN_TO_THE_GATEWAY[name]
        assert (known.label, known.schedules) == (sampler.label, sampler.schedules)
        assert known.prediction is sampler.prediction


# Those whose tables are made in no time, among them one for each kind of limit.
@pytest.mark.parametrize("name", ["euler", "ddim", "lcm", "tcd", "flow_heun"])
def test_a_line_of_the_file_is_current(name):
    assert capability(name, SAMPLERS[name]) == KNOWN_TO_THE_GATEWAY[name]
