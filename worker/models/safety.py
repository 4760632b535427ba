"""The safety checker: a classifier over finished pictures that an operator may configure."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors import SafetensorError
from torch import Tensor

from shared.errors import ConfigurationError
from worker.models.device import Device, DeviceThread

# CLIP's own, in red, green and blue.
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), dtype=np.float32)
DEVIATION = np.array((0.26862954, 0.26130258, 0.27577711), dtype=np.float32)


class SafetyChecker:
    """CLIP's view of a picture beside the concepts that the checker was made with.

    On a thread of its own: models come and go, and the checker is all of theirs.
    """

    def __init__(self, module: Any, device: Device) -> None:
        self._module = module
        self._device = device
        self._thread = DeviceThread("safety", device)

    def flags(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether a height x width x 3 picture should not be shown. From any thread but its own."""
        side = self._module.config.vision_config.image_size
        picture = ImageOps.fit(Image.fromarray(pixels), (side, side), Image.Resampling.BICUBIC)
        scaled = np.asarray(picture, dtype=np.float32) / 255
        normal = (scaled - MEAN) / DEVIATION
        view = self._device.staged(torch.from_numpy(normal).permute(2, 0, 1)[None])
        return self._thread.call(self._flags, view)

    def held(self) -> AbstractContextManager[None]:
        """The thread does nothing while the block runs."""
        return self._thread.held()

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _flags(self, view: Tensor) -> bool:
        view = view.to(self._device.place, self._device.dtype)
        # It would blacken the second argument, which is no picture of ours.
        _, flagged = self._module(view, [np.zeros(1)])
        return bool(flagged[0])


def load_safety_checker(path: Path, device: Device) -> SafetyChecker:
    """Load diffusers' StableDiffusionSafetyChecker from a folder with safetensors.

    Raises:
        ConfigurationError: the folder or its content is not what it should be.
    """
    # Here, since it imports all of the pipelines, which a worker without a checker never needs.
    from diffusers.pipelines.stable_diffusion.safety_checker import (
        StableDiffusionSafetyChecker,
    )

    try:
        module: Any = StableDiffusionSafetyChecker.from_pretrained(
            path, dtype=device.dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ConfigurationError(f"safety checker in {path}: {error}") from error
    return SafetyChecker(module.to(device.place).eval().requires_grad_(False), device)
