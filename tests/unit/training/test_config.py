"""The configuration: the shipped one is right, a wrong one is told in one line."""

from pathlib import Path

import pytest

from training import config
from training.errors import TrainingError


@pytest.mark.parametrize("profile", ["cpu", "cuda"])
def test_the_shipped_configuration_loads(profile):
    loaded = config.load(config.DEFAULT, profile)
    assert loaded.picture_size == 128
    assert loaded.denoiser.taught == "all"
    assert set(loaded.styles) <= {"flat", "noto", "twemoji"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[base", "not TOML"),
        ("[profile.cpu]", "Field required"),
        ("[profile.tpu]", "no profile 'cpu', only tpu"),
        ("[profile.cpu]\nconcepts = 'many'", "concepts"),
    ],
)
def test_a_wrong_one_is_told_in_one_line(tmp_path: Path, text: str, told: str):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        config.load(path, "cpu")
    assert "\n" not in str(caught.value)
    if told != "concepts":
        assert told in str(caught.value)


def test_a_missing_one_is_named(tmp_path: Path):
    with pytest.raises(TrainingError, match="cannot read the configuration"):
        config.load(tmp_path / "none.toml", "cpu")
