"""The safety checker, with diffusers' own class at tiny size."""

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPTextConfig, CLIPVisionConfig

from shared.errors import ConfigurationError
from worker.models.device import DeviceSettings, resolve_device
from worker.models.safety import load_safety_checker

WIDTH = 16
CPU = resolve_device(DeviceSettings(device="cpu"))


@pytest.fixture
def build(tmp_path):
    """A random checker whose every concept has that threshold."""

    def build(threshold: float):
        vision = CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
        text = CLIPTextConfig(
            hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=1, num_attention_heads=2
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = StableDiffusionSafetyChecker(
                CLIPConfig(
                    text_config=text.to_dict(),
                    vision_config=vision.to_dict(),
                    projection_dim=WIDTH,
                )
            )
        module.concept_embeds_weights.fill_(threshold)
        module.special_care_embeds_weights.fill_(2.0)
        module.save_pretrained(tmp_path)
        return load_safety_checker(tmp_path, CPU)

    return build


@pytest.mark.parametrize("shape", [(64, 96, 3), (8, 8, 3)])
def test_a_picture_near_a_concept_is_flagged(build, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for threshold, flagged in ((-1.5, True), (1.5, False)):
        checker = build(threshold)
        assert checker.flags(pixels) is flagged
        checker.close()


def test_a_folder_without_a_checker(tmp_path):
    with pytest.raises(ConfigurationError, match="safety checker"):
        load_safety_checker(tmp_path, CPU)
