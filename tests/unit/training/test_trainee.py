"""Checkpoints: a resumed run equals one that never stopped; a bad file is named and kept."""

from pathlib import Path

import pytest
import torch

from training import checkpoint
from training.errors import TrainingError
from training.progress import Stop, train
from training.trainee import Trainee


def new(path: Path, width: int = 3) -> Trainee:
    torch.manual_seed(0)
    return Trainee(torch.nn.Linear(width, 1), path / "toy.pt", decay=0.9)


def run(trainee: Trainee, path: Path, total: int, stop: Stop | None = None) -> bool:
    def loss_of(step: int) -> torch.Tensor:
        torch.manual_seed(step)
        loss: torch.Tensor = trainee.module(torch.randn(4, 3)).square().mean()
        return loss

    return train("toy", trainee, total, path, stop or Stop(), loss_of, lambda _: 0.1)


def test_resumed_equals_never_stopped(tmp_path: Path):
    straight, first = new(tmp_path / "a"), new(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert run(straight, tmp_path / "a", 6)
    assert run(first, tmp_path / "b", 3)
    resumed = new(tmp_path / "b")
    assert resumed.step == 3
    assert run(resumed, tmp_path / "b", 6)
    assert torch.equal(straight.module.weight, resumed.module.weight)
    assert torch.equal(straight.average.weight, resumed.average.weight)


def test_the_clock_stops_it_with_a_checkpoint(tmp_path: Path):
    trainee = new(tmp_path)
    assert not run(trainee, tmp_path, 100, Stop.after(0.0))
    assert new(tmp_path).step == trainee.step == 1
    assert (tmp_path / "toy.csv").read_text().startswith("step,loss,seconds_since_start\n1,")


def test_a_corrupt_checkpoint_is_named_and_kept(tmp_path: Path):
    path = tmp_path / "toy.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"toy\.pt is corrupt"):
        new(tmp_path)
    assert path.read_bytes() == b"not a checkpoint"
    path.write_bytes(b"")
    with pytest.raises(TrainingError, match="corrupt"):
        checkpoint.load(path)


def test_a_checkpoint_of_another_shape_does_not_fit(tmp_path: Path):
    new(tmp_path).save()
    with pytest.raises(TrainingError, match="does not fit this configuration"):
        new(tmp_path, width=5)
