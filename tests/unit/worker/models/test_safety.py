"""The safety checker, with diffusers' own class at tiny size."""

import numpy as np
import pytest

from shared.errors import ConfigurationError
from tests.tiny_checker import build_tiny_checker
from worker.models.device import DeviceSettings, resolve_device
from worker.models.safety import load_safety_checker

CPU = resolve_device(DeviceSettings(device="cpu"))


@pytest.mark.parametrize("shape", [(64, 96, 3), (8, 8, 3)])
def test_a_picture_near_a_concept_is_flagged(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for threshold, flagged in ((-1.5, True), (1.5, False)):
        checker = load_safety_checker(build_tiny_checker(tmp_path, threshold), CPU)
        assert checker.flags(pixels) is flagged
        checker.close()


def test_a_folder_without_a_checker(tmp_path):
    with pytest.raises(ConfigurationError, match="safety checker"):
        load_safety_checker(tmp_path, CPU)
