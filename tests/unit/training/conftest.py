"""A whole training at toy size: icon packages of squares and discs, a one-digit number of steps."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from training import data, decoder, denoiser, export, text, vae
from training.config import Config
from training.progress import Stop

SHAPES = {
    "1F34E": ("red apple", "红苹果", '<circle cx="16" cy="16" r="12" fill="#e02020"/>'),
    "1F467": ("girl", "女孩", '<rect x="6" y="4" width="14" height="24" fill="#e0a020"/>'),
    "1F680": ("rocket", "火箭", '<path d="M16 2 L28 30 L4 30 Z" fill="#4040e0"/>'),
    "1F332": ("evergreen tree", "松树", '<path d="M4 6 H28 V12 H4 Z" fill="#208020"/>'),
}
LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789,"


def write_packages(folder: Path) -> None:
    """The files that icon packages and emojibase-data have, with four entries."""
    modules = folder / "node_modules"
    icons = {label: {"body": body} for label, _, body in SHAPES.values()}
    names = {code.lower(): label for code, (label, _, _) in SHAPES.items()}
    entries = [
        {"hexcode": code, "label": label, "tags": ["thing"], "group": 3, "subgroup": 34}
        for code, (label, _, _) in SHAPES.items()
    ]
    chinese = [
        {"hexcode": code, "label": label, "tags": ["东西"]}
        for code, (_, label, _) in SHAPES.items()
    ]
    files: dict[str, Any] = {
        "@iconify-json/fluent-emoji-flat/package.json": {},
        "@iconify-json/fluent-emoji-flat/icons.json": {"icons": icons, "width": 32, "height": 32},
        "@iconify-json/fluent-emoji-flat/chars.json": names,
        "emojibase-data/package.json": {},
        "emojibase-data/en/data.json": entries,
        "emojibase-data/zh/data.json": chinese,
        "emojibase-data/meta/groups.json": {"subgroups": {"34": "shapes"}},
    }
    for name, content in files.items():
        path = modules / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Toy tensors are not worth a second thread, least of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def config() -> Config:
    return Config.model_validate(
        {
            "seed": 7,
            "picture_size": 64,
            "packages": {"@iconify-json/fluent-emoji-flat": "1", "emojibase-data": "1"},
            "styles": ["flat"],
            "concepts": 3,
            "data": {
                "first": ["girl"],
                "subgroups": ["shapes"],
                "one_sided": [],
                "held_out_every": 3,
                "colourable": {"red apple": ["apple", "苹果"]},
            },
            "vae": {
                "channels": [16, 16, 16, 16],
                "batch": 1,
                "crop": 32,
                "crop_steps": 1,
                "steps": 2,
                "decoder_steps": 2,
                "learning_rate": 1e-3,
            },
            "denoiser": {
                "channels": [32, 32],
                "layers": 1,
                "text_width": 16,
                "text_layers": 1,
                "batch": 4,
                "text_steps": 2,
                "first_steps": 1,
                "steps": 4,
                "learning_rate": 1e-3,
                "flips": True,
            },
            "controlnet": {"batch": 2, "steps": 2, "learning_rate": 1e-3},
            "lora": {"batch": 2, "steps": 2, "learning_rate": 1e-3},
        }
    )


@pytest.fixture(scope="session")
def state(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the data built."""
    folder = tmp_path_factory.mktemp("training")
    write_packages(folder / "npm")
    data.build(config, folder)
    return folder


@pytest.fixture(scope="package")
def model(config, state) -> Path:
    """A model folder, after a few steps of every stage."""
    for stage in (vae, text, denoiser, decoder):
        assert stage.train(config, state, Stop())
    folder = state / "model"
    export.write(export.pipeline(export.trained(config, state)), folder)
    return folder
