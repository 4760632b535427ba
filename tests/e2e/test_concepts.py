"""What is asked for is on the picture: ten prompts through the service, judged among all concepts.

`concepts.png` has the originals that the bundled model learnt from, `concepts.txt` their names;
`python -m training.concept_sheet` writes both.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tessera.client import Client
from training.judges import Nearest

pytestmark = pytest.mark.timeout(300)

HERE = Path(__file__).parent
SIDE, COLUMNS = 32, 30  # pixels a tile, tiles a row
ASKED = {
    "a red apple": "red apple",
    "1 girl": "girl",
    "一个女孩": "girl",
    "rocket, flat": "rocket",
    "a blue heart": "blue heart",
    "a sunflower": "sunflower",
    "the snowman": "snowman",
    "a soccer ball": "soccer ball",
    "西瓜": "watermelon",
    "a panda": "panda",
}


@pytest.fixture(scope="module")
def originals() -> tuple[list[str], Nearest]:
    """The concepts' names, and the judge who knows their pictures."""
    labels = (HERE / "concepts.txt").read_text(encoding="utf-8").splitlines()
    sheet = np.asarray(Image.open(HERE / "concepts.png").convert("RGB"))
    rows = sheet.reshape(-1, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    return labels, Nearest(rows[: len(labels)].copy())


def test_the_pictures_show_what_was_asked(client: Client, originals: tuple[list[str], Nearest]):
    labels, nearest = originals
    jobs = [client.submit(prompt, seed=7) for prompt in ASKED]
    pictures = []
    for job in jobs:
        assert client.wait(job.id).status == "succeeded"
        pictures.append(np.asarray(Image.open(io.BytesIO(client.image(job.id))).convert("RGB")))
    ranks = nearest.ranks(np.stack(pictures), [labels.index(label) for label in ASKED.values()])
    found = dict(zip(ASKED, ranks.tolist(), strict=True))
    assert all(rank < 5 for rank in found.values()), found
    assert sum(rank == 0 for rank in found.values()) >= 8, found
