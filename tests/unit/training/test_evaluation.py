"""The evaluation judges pictures it knows as right, and writes its scores and sheets."""

import numpy as np
import pytest

from training import adapter_scores, evaluation, sampling
from training.errors import TrainingError
from training.evaluation import Evaluation, References
from training.judges import Judge, Nearest


@pytest.fixture(scope="module")
def known(config, state) -> References:
    return evaluation.references(config, state, judge_steps=3)


def test_the_originals_themselves_score_full_marks(known):
    asked = known.plain
    assert known.recall(known.pixels[asked], asked)["top1"] == 100.0
    assert known.recall(known.pixels[asked], asked[1:] + asked[:1])["top1"] == 0.0


def test_held_out_copies_are_judged_apart(known):
    trained, held_out = known.copies(held_out=False), known.copies(held_out=True)
    assert len(trained) == 4
    assert len(held_out) == 2
    assert not set(trained) & set(held_out)


def test_references_hold_what_judges_need(known):
    assert isinstance(known.nearest, Nearest)
    assert isinstance(known.judge, Judge)
    assert len(known.pictures) == len(known.pixels) == len(known.nearest.classes)


def test_saturation_tells_line_art_from_colour():
    grey = np.full((1, 4, 4, 3), 100, np.uint8)
    red = np.full((1, 4, 4, 3), (255, 0, 0), np.uint8)
    assert adapter_scores.saturation(grey) == 0.0
    assert adapter_scores.saturation(red) == 1.0


def test_every_score_is_made_and_every_sheet_written(config, state, model, tmp_path):
    scores = Evaluation(model, config, state, tmp_path, prompts=8, judge_steps=3).scores()
    assert scores["recall"].keys() == {"top1", "top5", "cnn_top1"}
    assert "colour follows" in scores["held-out colour combinations"]
    distances = [
        scores[f"image to image, strength {strength}"]["distance to input"]
        for strength in evaluation.STRENGTHS
    ]
    assert distances == sorted(distances)
    sheets = {path.stem for path in tmp_path.glob("*.png")}
    assert {"looked-at", "recall", "chinese", "colour", "colour-held-out"} <= sheets


def test_a_folder_without_a_model_is_told(config, state, tmp_path):
    with pytest.raises(TrainingError, match="no model under"):
        Evaluation(tmp_path, config, state, tmp_path, judge_steps=1)


def test_a_missing_model_is_told(tmp_path):
    with pytest.raises(TrainingError, match=r"model_index\.json"):
        sampling.load(tmp_path)
