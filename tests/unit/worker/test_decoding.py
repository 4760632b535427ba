"""Where a picture cannot be decoded, one other way is tried, and told."""

import numpy as np
import pytest
import torch

from shared.errors import GenerationInvalid, ResourceExhausted
from tests.tiny_model import vae
from worker.decoding import decode
from worker.models.device import DeviceSettings, resolve_device
from worker.models.image import Autoencoder, Decoding

LATENT = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(1))


class Picky:
    """A model whose decoder refuses these ways."""

    def __init__(self, **refused):
        self.refused = refused
        self.asked = []

    def decode(self, latent, decoding=Decoding.WHOLE):
        self.asked.append(decoding)
        if decoding.name in self.refused:
            raise self.refused[decoding.name]
        return np.zeros((8, 8, 3), np.uint8)


def test_without_trouble_nothing_is_told():
    model = Picky()
    assert decode(model, LATENT, 0, False)[1] == decode(model, LATENT, 0, True)[1] == []
    assert model.asked == [Decoding.FAST, Decoding.WHOLE]


@pytest.mark.parametrize(
    ("error", "second", "code"),
    [
        (GenerationInvalid("black"), Decoding.FULL_PRECISION, "decoded_again"),
        (ResourceExhausted("full"), Decoding.TILED, "decoded_in_tiles"),
    ],
)
def test_another_way_is_tried_once(error, second, code):
    model = Picky(FAST=error)
    _, [(told, detail)] = decode(model, LATENT, 3, False)
    assert told == code
    assert "image 3" in detail
    assert model.asked == [Decoding.FAST, second]

    with pytest.raises(type(error)):
        decode(Picky(FAST=error, **{second.name: error}), LATENT, 0, False)


@pytest.fixture
def network():
    return vae()


@pytest.fixture
def autoencoder(network):
    autoencoder = Autoencoder(network, resolve_device(DeviceSettings(device="cpu")))
    yield autoencoder
    autoencoder.close()


def test_tiles_make_about_the_same_picture(autoencoder, network):
    whole = autoencoder.decode(LATENT).astype(int)
    tiled = autoencoder.decode(LATENT, Decoding.TILED).astype(int)
    assert tiled.shape == whole.shape
    assert 0 < np.abs(tiled - whole).mean() < 30
    assert not network.use_tiling
    assert np.array_equal(autoencoder.decode(LATENT), whole)


def test_full_precision_is_for_once(network):
    half = Autoencoder(
        torch.nn.Module.to(network, torch.bfloat16), resolve_device(DeviceSettings(device="cpu"))
    )
    rough = half.decode(LATENT).astype(int)
    fine = half.decode(LATENT, Decoding.FULL_PRECISION).astype(int)
    half.close()
    assert network.dtype is torch.bfloat16
    assert 0 < np.abs(fine - rough).max() < 30


def test_one_value_everywhere_is_no_picture(autoencoder, network):
    with torch.no_grad():
        network.decoder.conv_out.weight.zero_()
        network.decoder.conv_out.bias.fill_(-3.0)
    with pytest.raises(GenerationInvalid):
        autoencoder.decode(LATENT)


def test_black_is_a_picture_where_it_varies_below_zero(autoencoder, network):
    with torch.no_grad():
        network.decoder.conv_out.bias.fill_(-30.0)
    assert not autoencoder.decode(LATENT).any()
