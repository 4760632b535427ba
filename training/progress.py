"""The training loop's frame: progress bar, CSV curve, checkpoints, an end by the clock."""

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from training.trainee import Trainee

CHECKPOINT_SECONDS = 60.0
AVERAGED_STEPS = 50


@dataclass(frozen=True)
class Stop:
    """When to leave off before the last step, in `time.monotonic` seconds."""

    at: float = math.inf

    @classmethod
    def after(cls, minutes: float | None) -> "Stop":
        return cls() if minutes is None else cls(time.monotonic() + 60.0 * minutes)


def train(
    name: str,
    trainee: Trainee,
    total: int,
    folder: Path,
    stop: Stop,
    loss_of: Callable[[int], torch.Tensor],
    rate_of: Callable[[int], float],
) -> bool:
    """Learn from the trainee's step up to `total`, saving every minute. True if it got there.

    `loss_of` and `rate_of` take the step; the curve goes to `folder/name.csv`.
    """
    bar = tqdm(total=total, initial=trainee.step, desc=name, unit="step", mininterval=5.0)
    losses: list[float] = []
    began = saved = time.monotonic()
    for step in range(trainee.step, total):
        loss = loss_of(step)
        trainee.learn(loss, rate_of(step))
        losses.append(loss.item())
        bar.update()
        now = time.monotonic()
        last = step + 1 == total or now > stop.at
        if (step + 1) % AVERAGED_STEPS == 0 or last:
            mean = sum(losses[-AVERAGED_STEPS:]) / len(losses[-AVERAGED_STEPS:])
            bar.set_postfix(loss=f"{mean:.4f}")
            append(folder / f"{name}.csv", step + 1, mean, now - began)
        if now - saved > CHECKPOINT_SECONDS or last:
            trainee.save()
            saved = now
        if last:
            break
    bar.close()
    return trainee.step >= total


def append(path: Path, step: int, loss: float, seconds: float) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "loss", "seconds_since_start"])
        writer.writerow([step, f"{loss:.6f}", f"{seconds:.1f}"])
