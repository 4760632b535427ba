"""What stands beside the bundled model: a ControlNet that follows a drawing, a LoRA of a style."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tessera.client import Client
from tests.e2e.looking import as_input, finished
from training.adapter_scores import saturation
from training.edges import f1
from worker.models.canny import canny

pytestmark = pytest.mark.timeout(300)

SIDE = 128


def triangle() -> np.ndarray:
    """A blue triangle on white, which no rose or pizza is drawn as by itself."""
    drawn = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(drawn).polygon([(64, 16), (112, 108), (16, 108)], fill=(40, 80, 220))
    return np.asarray(drawn)


def test_a_drawn_shape_is_followed(client: Client):
    shown = triangle()
    control = {"type": "canny", "image": as_input(shown), "preprocess": True}
    prompts = ["a red heart", "a green apple", "a watermelon", "a house"]
    free = [client.submit(prompt, seed=5) for prompt in prompts]
    held = [client.submit(prompt, seed=5, controls=[control]) for prompt in prompts]
    asked = np.repeat(canny(shown[None]), len(prompts), axis=0)
    without = f1(asked, canny(np.stack([finished(client, job.id) for job in free])))
    by_control = f1(asked, canny(np.stack([finished(client, job.id) for job in held])))
    assert by_control.mean() > 2 * without.mean(), (by_control, without)


def test_line_art_has_next_to_no_colour_and_at_scale_0_is_not_there(client: Client):
    asked = {"prompt": "a red apple", "seed": 5, "reproducible": True}
    jobs = [
        client.submit(**asked, loras=loras)
        for loras in (
            [],
            [{"name": "lineart", "scale": 0.0}],
            [{"name": "lineart", "scale": 1.0}],
        )
    ]
    plain, at_0, at_1 = (finished(client, job.id) for job in jobs)
    assert (plain == at_0).all()
    assert saturation(at_1) < 0.25 * saturation(plain)
