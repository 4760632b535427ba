"""From a decoder's output to pixels, as diffusers does it."""

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor

from worker.models.image import as_pixels


def test_pixels_are_diffusers_own_to_the_last_bit():
    decoded = torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(0))
    expected = VaeImageProcessor().postprocess(decoded[None].clone(), output_type="np")[0]

    assert np.array_equal(as_pixels(decoded).numpy(), (expected * 255).round().astype(np.uint8))
