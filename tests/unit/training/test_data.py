"""The data set: order of learning, colour copies, what is held out, what is missing."""

from pathlib import Path

import numpy as np
import pytest

from training import data, icons, tokenizer
from training.errors import TrainingError


def test_concepts_come_in_the_order_of_learning(config, state):
    pictures = data.load(state).pictures
    plain = [p for p in pictures if p.subject.colour is None]
    assert [p.subject.label for p in plain] == ["girl", "red apple", "rocket", "evergreen tree"]
    assert [p.trained for p in plain] == [True, True, True, False]
    assert [p.first for p in plain] == [True, False, False, False]


def test_a_third_of_the_colour_copies_is_held_out(state):
    copies = [p for p in data.load(state).pictures if p.subject.colour is not None]
    assert len(copies) == 6  # seven colours less its own
    assert sum(p.held_out for p in copies) == 2
    assert all(p.trained != p.held_out for p in copies)


def test_pictures_are_drawn_on_white(config, state):
    pixels = data.load(state).pixels
    assert pixels.shape[1:] == (64, 64, 3)
    assert (pixels[:, 0, 0] == 255).all()
    np.testing.assert_array_equal(pixels[0, 32, 25], (0xE0, 0xA0, 0x20))


def test_the_tokenizer_is_clip_s_with_77_tokens_and_knows_chinese(state):
    clip = tokenizer.load(state / "tokenizer")
    padded = clip(["一个女孩"], padding="max_length", truncation=True).input_ids[0]
    assert len(padded) == 77
    assert padded[0] == clip.bos_token_id
    assert padded[-1] == clip.pad_token_id == clip.eos_token_id == 1
    assert clip.decode(padded, skip_special_tokens=True) == "一个女孩"


def test_a_missing_package_is_named(config, tmp_path: Path):
    with pytest.raises(TrainingError, match="emojibase-data is missing or damaged"):
        icons.read_json(tmp_path, "emojibase-data", "en/data.json")


def test_missing_and_damaged_data_is_told(state, tmp_path: Path):
    with pytest.raises(TrainingError, match=r"run python -m training\.data first"):
        data.load(tmp_path)
    (tmp_path / "pictures.json").write_text("[]")
    np.save(tmp_path / "pictures.npy", data.load(state).pixels)
    with pytest.raises(TrainingError, match="not whole"):
        data.load(tmp_path)
