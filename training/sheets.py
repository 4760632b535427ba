"""Contact sheets: many pictures on one, with their prompts, to be looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LABEL_HEIGHT = 14


def contact_sheet(
    pixels: np.ndarray, labels: Sequence[str], path: Path, columns: int = 10, size: int = 96
) -> None:
    """Write a PNG of `[n, h, w, 3]` pictures in rows of `columns`, each over its label."""
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * size, rows * (size + LABEL_HEIGHT)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        left = number % columns * size
        top = number // columns * (size + LABEL_HEIGHT)
        sheet.paste(Image.fromarray(picture).resize((size, size)), (left, top))
        readable = label.encode("ascii", "ignore").decode()  # the built-in font has no others
        pen.text((left + 2, top + size + 1), readable[: size // 6], fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
