"""Eight requests that have next to nothing in common share steps and get their solo pictures."""

from typing import Any

import numpy as np
import pytest

from tessera.client import Client
from tests.e2e.looking import as_input, batch_rows, finished
from tests.e2e.running import RunningStack

pytestmark = pytest.mark.timeout(300)

SIDE = 128
LONG_PROMPT = "a green apple with a leaf, flat, simple, bright, round, " * 8


def asked() -> dict[str, tuple[dict[str, Any], int, int]]:
    """By name: the request, the ticks that it takes, and the rows of each."""
    ramp = np.linspace(0, 255, SIDE).astype(np.uint8)
    across = np.tile(ramp, (SIDE, 1))
    picture = as_input(np.stack([across, across.T, 255 - across], axis=-1))
    mask = as_input(across < 128)
    second = {"scale": 1.5, "strength": 0.5, "steps": 8}
    euler, solver = {"sampler": "euler", "steps": 8}, {"sampler": "dpmpp_2m", "steps": 13}
    prompt = {"prompt": "a red apple", "guidance_scale": 7.5}
    return {
        "unguided": ({**prompt, **euler, "guidance_scale": 1.0}, 8, 1),
        "guided": ({**prompt, **solver}, 13, 2),
        "ancestral": ({**prompt, "steps": 8, "sampler": "Euler a"}, 8, 2),
        "image-to-image": ({**prompt, **solver, "image": picture, "strength": 0.6}, 7, 2),
        "inpainting": ({**prompt, **euler, "image": picture, "mask": mask}, 8, 2),
        "second pass": ({**prompt, **euler, "hires": second}, 8 + 4, 2),
        "weighted": ({**prompt, **solver, "prompt": "(red:1.5) heart"}, 13, 2),
        "long": ({**prompt, **euler, "prompt": LONG_PROMPT}, 8, 2),
    }


def test_they_share_steps_and_get_the_pictures_they_get_alone(stack: RunningStack, client: Client):
    requests = {
        name: {**body, "seed": seed} for seed, (name, (body, _, _)) in enumerate(asked().items())
    }
    before = batch_rows(stack)
    ids = {name: client.submit(**body).id for name, body in requests.items()}
    together = {name: finished(client, job_id) for name, job_id in ids.items()}
    rows, ticks = (now - then for now, then in zip(batch_rows(stack), before, strict=True))

    takes = [(ticks_alone, wide) for _, ticks_alone, wide in asked().values()]
    assert rows == sum(ticks_alone * wide for ticks_alone, wide in takes)
    assert ticks < 0.8 * sum(ticks_alone for ticks_alone, _ in takes)
    for name, body in requests.items():
        alone = finished(client, client.submit(**body).id)
        assert np.abs(together[name].astype(int) - alone).max() <= 1, name
