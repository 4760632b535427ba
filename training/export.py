"""Deployment: the trained parts as a diffusers folder with hashes of its files."""

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging

from training import architecture, checkpoint, tokenizer
from training.command import add_common, run
from training.config import Config
from training.decoder import Decoder
from training.errors import TrainingError

SUMS = "SHA256SUMS"
KEPT = ("README.md",)  # written by hand, stays when the weights are replaced
LARGEST_FILE = "15MB"


def trained(config: Config, state: Path) -> dict[str, Any]:
    """The averaged weights of the newest checkpoints, as modules in float32."""
    vae_path, path = state / "vae.pt", state / "denoiser.pt"
    vae_state, cached = checkpoint.load(vae_path), checkpoint.load(state / "latents.pt")
    saved = checkpoint.load(path)
    if vae_state is None or cached is None or saved is None:
        raise TrainingError(f"no trained model under {state}: run python -m training.train first")
    vae = architecture.autoencoder(config)
    checkpoint.load_weights(vae, vae_state["average"], vae_path)
    if (polished := checkpoint.load(state / "decoder.pt")) is not None:
        checkpoint.load_weights(Decoder(vae), polished["average"], state / "decoder.pt")
    vae.register_to_config(scaling_factor=1.0 / cached["std"])
    unet, text = architecture.unet(config), architecture.text_encoder(config)
    both = torch.nn.ModuleDict({"unet": unet, "text": text})
    checkpoint.load_weights(both, saved["average"], path)
    return {
        "vae": vae,
        "unet": unet,
        "text_encoder": text,
        "tokenizer": tokenizer.load(state / "tokenizer"),
    }


def pipeline(parts: dict[str, Any]) -> Any:
    """A StableDiffusionPipeline of the parts, with no safety checker."""
    logging.set_verbosity_error()  # it would advise a safety checker; these are emoji
    made: Any = StableDiffusionPipeline(
        **parts,
        scheduler=architecture.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def write(made: Any, folder: Path) -> None:
    """Save a pipeline as fp16 safetensors with hashes."""

    def save(aside: Path) -> None:
        made.to(dtype=torch.float16)
        made.save_pretrained(aside, safe_serialization=True, max_shard_size=LARGEST_FILE)
        load_as_float32(aside / "text_encoder" / "config.json")

    replace(folder, save)


def replace(folder: Path, save: Callable[[Path], None]) -> None:
    """Save beside `folder`, hash, and only then put it in `folder`'s place."""
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    save(aside)
    for name in KEPT:
        if (folder / name).exists():
            shutil.copy2(folder / name, aside / name)
    hash_files(aside)
    shutil.rmtree(folder, ignore_errors=True)
    aside.replace(folder)


def load_as_float32(path: Path) -> None:
    """Else transformers loads this part in fp16, as stored, where diffusers loads all in fp32."""
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "dtype": "float32"}, indent=2) + "\n")


def hash_files(folder: Path) -> None:
    """Write SHA256SUMS, in `sha256sum`'s format, over what a loader reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        path.chmod(0o644)  # safetensors writes files that only their owner can read
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
        if path.name not in (SUMS, *KEPT)
    ]
    (folder / SUMS).write_text("".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    add_common(parser)
    parser.add_argument("--to", type=Path, default=Path("out/emoji"))
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        write(pipeline(trained(config, state)), arguments.to)
        print(f"wrote {arguments.to}")

    run(work, arguments)


if __name__ == "__main__":
    main()
