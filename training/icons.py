"""Icon sets from npm packages: find them, read them, render them."""

import functools
import io
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from training.errors import TrainingError

STYLE_PACKAGES = {
    "flat": "@iconify-json/fluent-emoji-flat",
    "noto": "@iconify-json/noto",
    "twemoji": "@iconify-json/twemoji",
}
SUPERSAMPLING = 2


def install(packages: Mapping[str, str], folder: Path) -> None:
    """Fetch the pinned packages with npm into `folder`, unless they are there."""
    missing = [
        f"{name}@{version}"
        for name, version in packages.items()
        if not (folder / "node_modules" / name / "package.json").exists()
    ]
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise TrainingError(f"npm is not installed; it fetches {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", *missing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TrainingError(f"npm could not fetch {', '.join(missing)}: {last}")


def read_json(folder: Path, package: str, name: str) -> Any:
    path = folder / "node_modules" / package / name
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise TrainingError(f"data package {package} is missing or damaged: {path}") from error


class IconSet:
    """One style: SVG bodies by emoji code points."""

    def __init__(self, folder: Path, style: str) -> None:
        package = STYLE_PACKAGES[style]
        self._names: dict[str, str] = read_json(folder, package, "chars.json")
        self._data = read_json(folder, package, "icons.json")

    @functools.cached_property
    def _size(self) -> tuple[int, int]:
        return self._data.get("width", 16), self._data.get("height", 16)

    def svg(self, hexcode: str) -> str | None:
        """The picture of an emoji ("1F34E"), or None if this set has none."""
        code = hexcode.lower()
        name = self._names.get(code) or self._names.get(code.replace("-fe0f", ""))
        if name is None or name not in self._data["icons"]:
            return None
        icon = self._data["icons"][name]
        width, height = icon.get("width", self._size[0]), icon.get("height", self._size[1])
        view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">{icon["body"]}</svg>'


def render(svg: str, size: int) -> np.ndarray:
    """Pixels `[size, size, 3]` uint8 of an SVG on white, antialiased by supersampling."""
    big = size * SUPERSAMPLING
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=big, height=big, background="white"))
    picture = Image.open(io.BytesIO(png)).convert("RGB").resize((size, size), Image.Resampling.BOX)
    return np.asarray(picture)
