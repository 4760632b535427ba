"""The bundled model changes a picture that it is given: as a whole, or where a mask says."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tessera.client import Client
from tests.e2e.looking import as_input, finished

pytestmark = pytest.mark.timeout(300)

SKY = (120, 200, 255)


@pytest.fixture
def apple(client: Client) -> np.ndarray:
    """A red apple on white, as the model draws it."""
    return finished(client, client.submit("a red apple", seed=7).id)


def greenness(picture: np.ndarray) -> float:
    """By how much green is over red in the middle of the picture; in levels of 255."""
    red, green, _ = picture[48:96, 48:80].astype(float).mean((0, 1))
    return float(green - red)


def test_the_stronger_the_greener(client: Client, apple: np.ndarray):
    jobs = [
        client.submit("a green apple", seed=3, image=as_input(apple), strength=strength)
        for strength in (0.3, 0.6, 0.9)
    ]
    found = [greenness(apple), *(greenness(finished(client, job.id)) for job in jobs)]
    assert found == sorted(found)
    assert found[0] < -100
    assert found[-1] > 50


def test_inpainting_turns_the_apple_green_and_leaves_the_rest(client: Client, apple: np.ndarray):
    shape = Image.fromarray(apple.min(-1) < 205).convert("L").filter(ImageFilter.MinFilter(3))
    mask = np.asarray(shape.filter(ImageFilter.MaxFilter(5))) > 127
    on_sky = np.where(np.asarray(shape)[..., None] > 127, apple, np.array(SKY, np.uint8))
    job = client.submit(
        "a green apple", seed=11, image=as_input(on_sky), mask=as_input(mask), strength=1.0
    )
    painted = finished(client, job.id)
    assert (painted[~mask] == on_sky[~mask]).all()
    assert greenness(on_sky) < -100
    assert greenness(painted) > 50
