"""The preview map: fitted on the shipped pictures, from latents to small pictures."""

from pathlib import Path

import pytest
import torch

from shared.catalog import load_catalog
from worker.models.device import DeviceSettings, resolve_device
from worker.models.image import Posterior
from worker.models.load import load_model
from worker.models.preview import PreviewMap, fit_preview_map

CPU = resolve_device(DeviceSettings(device="cpu"))


class LinearAutoencoder:
    """Encodes colours by a linear map of its own, so that another one can undo it."""

    scale_factor = 8

    def __init__(self, noise):
        generator = torch.Generator().manual_seed(0)
        self._mix = torch.randn(4, 3, generator=generator)
        self._noise = noise
        self._generator = generator

    def encode(self, picture):
        colours = torch.nn.functional.avg_pool2d(picture, self.scale_factor)
        mean = torch.einsum("cr,...rhw->...chw", self._mix, colours)
        mean += self._noise * torch.randn(mean.shape, generator=self._generator)
        return Posterior(mean, torch.zeros_like(mean))


def test_what_is_linear_is_found_and_undone():
    autoencoder = LinearAutoencoder(noise=0.0)
    fitted = fit_preview_map(autoencoder, CPU)
    assert fitted.explained == pytest.approx(1.0, abs=1e-6)
    picture = torch.rand(3, 64, 128, generator=torch.Generator().manual_seed(1))
    latent = autoencoder.encode(picture * 2 - 1).mean
    shown = fitted.pixels(latent[None])
    assert (shown.shape, shown.dtype) == ((1, 8, 16, 3), torch.uint8)
    expected = torch.nn.functional.avg_pool2d(picture, 8).permute(1, 2, 0) * 255
    assert (shown[0] - expected).abs().max() <= 0.51


def test_the_fit_says_what_it_misses():
    assert 0.1 < fit_preview_map(LinearAutoencoder(noise=1.0), CPU).explained < 0.95


def test_colours_stay_in_their_range():
    gain = PreviewMap(torch.eye(3, 4) * 100, torch.zeros(3), 1.0)
    latents = torch.tensor([-1.0, 1.0, float("nan"), 0.0]).view(1, 4, 1, 1)
    assert gain.pixels(latents).flatten().tolist() == [0, 0, 0]
    assert gain.pixels(latents.nan_to_num()).flatten().tolist() == [0, 255, 0]


def test_the_bundled_model_is_explained_well(bundled):
    fitted = fit_preview_map(bundled._autoencoder, CPU)
    assert fitted.explained > 0.85


@pytest.fixture
def bundled():
    (entry,) = load_catalog(Path("models/models.toml")).preferred(())
    model = load_model(entry, DeviceSettings(device="cpu"))
    yield model
    model.close()
