"""The data set: concepts with names, rendered pictures, colour-shifted copies, the tokenizer."""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import colours, icons, tokenizer
from training.captions import COLOURS, Subject, caption
from training.command import add_common, run
from training.config import Config
from training.errors import TrainingError

SKIPPED_GROUPS = {None, 2, 9}  # no group, skin and hair components, flags
CAPTIONS_PER_PICTURE = 24  # for the tokenizer


@dataclass(frozen=True)
class Picture:
    """One row of `pictures.npy`."""

    hexcode: str
    subject: Subject
    first: bool  # learnt before the rest
    trained: bool  # the denoiser sees it; the VAE sees every picture
    held_out: bool  # a colour copy that no caption names
    flippable: bool  # means the same in a mirror


@dataclass(frozen=True)
class DataSet:
    pixels: np.ndarray  # [n, size, size, 3] uint8
    pictures: tuple[Picture, ...]


def concepts(config: Config, folder: Path) -> list[dict[str, Any]]:
    """emojibase entries in the order of learning: the first ones, then by subgroup."""
    english = icons.read_json(folder, "emojibase-data", "en/data.json")
    chinese = {
        entry["hexcode"]: entry
        for entry in icons.read_json(folder, "emojibase-data", "zh/data.json")
    }
    subgroups = icons.read_json(folder, "emojibase-data", "meta/groups.json")["subgroups"]
    entries = []
    for entry in english:
        if entry.get("group") in SKIPPED_GROUPS:
            continue
        translated = chinese[entry["hexcode"]]
        entries.append(
            {
                "hexcode": entry["hexcode"],
                "label": entry["label"],
                "tags": tuple(entry.get("tags", ())),
                "label_zh": translated["label"],
                "tags_zh": tuple(translated.get("tags", ())),
                "subgroup": subgroups[str(entry["subgroup"])],
            }
        )
    labels = {entry["label"] for entry in entries}
    unknown = [label for label in config.data.first if label not in labels]
    if unknown:
        raise TrainingError(f"emojibase knows no {', '.join(unknown)} (configuration, data.first)")
    first = {label: number for number, label in enumerate(config.data.first)}
    later = {name: len(first) + number for number, name in enumerate(config.data.subgroups)}
    kept = [e for e in entries if e["label"] in first or e["subgroup"] in later]
    return sorted(kept, key=lambda e: first.get(e["label"], later.get(e["subgroup"], 0)))


def draw(config: Config, folder: Path) -> Iterator[tuple[Picture, np.ndarray]]:
    """Every picture: concepts in all styles, then each colourable one in every colour."""
    entries = concepts(config, folder)
    copies, labels = 0, {entry["label"] for entry in entries}
    for style in config.styles:
        icon_set = icons.IconSet(folder, style)
        drawn = 0
        for entry in entries:
            svg = icon_set.svg(entry["hexcode"])
            if svg is None:
                continue
            drawn += 1
            pixels = icons.render(svg, config.picture_size)
            fields = {key: entry[key] for key in ("label", "tags", "label_zh", "tags_zh")}
            subject = Subject(style=style, **fields)
            first, trained = entry["label"] in config.data.first, drawn <= config.concepts
            flippable = entry["subgroup"] not in config.data.one_sided
            yield Picture(entry["hexcode"], subject, first, trained, False, flippable), pixels
            if entry["label"] not in config.data.colourable:
                continue
            word, word_zh = config.data.colourable[entry["label"]]
            for colour in COLOURS:
                turned = colours.shift(pixels, colour)
                own = colours.dominant(pixels) == colour or f"{colour} {word}" in labels
                if turned is None or own:
                    continue
                copies += 1
                held_out = copies % config.data.held_out_every == 0
                copy = Subject(word, (), word_zh, (), style, colour)
                whole = Picture(entry["hexcode"], copy, first, not held_out, held_out, flippable)
                yield whole, turned


def build(config: Config, state: Path) -> DataSet:
    """Fetch, render, write `pictures.npy`, `pictures.json` and the tokenizer under `state`."""
    folder = state / "npm"
    icons.install(config.packages, folder)
    pictures, pixels = zip(*draw(config, folder), strict=True)
    data = DataSet(np.stack(pixels), pictures)
    np.save(state / "pictures.npy", data.pixels)
    rows = [asdict(picture) for picture in pictures]
    (state / "pictures.json").write_text(json.dumps(rows, ensure_ascii=False))
    tokenizer.train(captions(data, config.seed), state / "tokenizer")
    return data


def captions(data: DataSet, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for picture in data.pictures:
        for _ in range(CAPTIONS_PER_PICTURE):
            yield caption(picture.subject, chance)


def load(state: Path) -> DataSet:
    """What `build` wrote. Raises TrainingError if it is not there or not whole."""
    try:
        rows = json.loads((state / "pictures.json").read_text())
        pixels = np.load(state / "pictures.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        raise TrainingError(f"no data under {state}: run python -m training.data first") from error
    pictures = []
    for row in rows:
        fields = row.pop("subject")
        tags: dict[str, Any] = {name: tuple(fields.pop(name)) for name in ("tags", "tags_zh")}
        subject = Subject(**fields, **tags)
        pictures.append(Picture(subject=subject, **row))
    if len(pictures) != len(pixels):
        raise TrainingError(f"the data under {state} is not whole: run python -m training.data")
    return DataSet(pixels, tuple(pictures))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    add_common(parser)
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        start = time.monotonic()
        data = build(config, state)
        trained = sum(picture.trained for picture in data.pictures)
        print(
            f"{len(data.pictures)} pictures, {trained} to train on, "
            f"in {time.monotonic() - start:.0f} s under {state}"
        )

    run(work, arguments)


if __name__ == "__main__":
    main()
