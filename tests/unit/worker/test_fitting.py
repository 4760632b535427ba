"""Input pictures of any shape come to the size asked for, and masks with them."""

import numpy as np
import pytest
from PIL import Image

from shared.request import Fit
from worker.fitting import fit_mask, fit_picture

RED, BLUE = (200, 0, 0), (0, 0, 200)


def halves(width, height):
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("size", [(64, 64), (7, 500), (500, 7), (1, 4000), (4000, 1)])
def test_any_shape_comes_to_the_size(fit, size):
    assert fit_picture(Image.new("RGB", size, RED), 72, 64, fit).shape == (64, 72, 3)
    assert fit_mask(Image.new("L", size, 255), 72, 64, fit).all()


@pytest.mark.parametrize("fit", Fit)
def test_a_picture_of_the_size_is_taken_as_it_is(fit):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 72, 3), dtype=np.uint8)

    assert np.array_equal(fit_picture(Image.fromarray(pixels), 72, 64, fit), pixels)


def test_cover_cuts_evenly():
    fitted = fit_picture(halves(128, 64), 64, 64, Fit.COVER)

    assert fitted[32, 20].tolist() == list(RED)
    assert fitted[32, 44].tolist() == list(BLUE)


def test_contain_repeats_the_edges():
    fitted = fit_picture(halves(64, 64), 128, 64, Fit.CONTAIN)

    assert (fitted[:, :32] == RED).all()
    assert (fitted[:, 96:] == BLUE).all()


def test_stretch_keeps_everything():
    fitted = fit_picture(halves(32, 128), 64, 64, Fit.STRETCH)

    assert (fitted[:, :20] == RED).all()
    assert (fitted[:, 44:] == BLUE).all()


def test_only_the_lighter_half_of_the_greys_repaints():
    mask = Image.fromarray(np.array([[0, 127, 128, 255]], dtype=np.uint8))

    assert fit_mask(mask, 4, 1, Fit.COVER).tolist() == [[False, False, True, True]]
