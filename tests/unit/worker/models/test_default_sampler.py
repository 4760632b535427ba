"""A model is loaded only when its default sampler fits it."""

import pytest

from shared.catalog import ModelDefaults, ModelEntry
from shared.errors import ConfigurationError
from worker.models.device import DeviceSettings
from worker.models.load import load_model


@pytest.mark.parametrize(
    ("sampler", "reason"), [("flow_euler", "diffusion"), ("sde", "no sampler")]
)
def test_a_default_sampler_that_does_not_fit(tiny_path, sampler, reason):
    defaults = ModelDefaults(sampler=sampler)
    entry = ModelEntry(id="tiny", family="sd", path=tiny_path, defaults=defaults)
    with pytest.raises(ConfigurationError, match=reason):
        load_model(entry, DeviceSettings(device="cpu"))
