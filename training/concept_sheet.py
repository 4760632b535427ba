"""The originals of the trained concepts on one small picture, for tests of what a model draws."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from training import data
from training.command import add_common, run
from training.config import Config

SIDE, COLUMNS = 32, 30  # pixels a tile, tiles a row


def write(state: Path, to: Path) -> int:
    """Write `concepts.png` and `concepts.txt`, a label a line, in one order; how many there are."""
    whole = data.load(state)
    rows = [n for n, p in enumerate(whole.pictures) if p.trained and p.subject.colour is None]
    sheet = Image.new("RGB", (COLUMNS * SIDE, -(-len(rows) // COLUMNS) * SIDE), "white")
    for place, row in enumerate(rows):
        tile = Image.fromarray(np.array(whole.pixels[row])).resize(
            (SIDE, SIDE), Image.Resampling.BOX
        )
        sheet.paste(tile, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
    sheet.quantize(256).save(to / "concepts.png", optimize=True)
    labels = [whole.pictures[row].subject.label for row in rows]
    (to / "concepts.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.concept_sheet", description=__doc__)
    add_common(parser)
    parser.add_argument("--to", type=Path, default=Path("tests/e2e"), help="the folder")
    arguments = parser.parse_args()

    def work(_: Config, state: Path) -> None:
        print(f"{write(state, arguments.to)} concepts")

    run(work, arguments)


if __name__ == "__main__":
    main()
