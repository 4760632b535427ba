"""Two judges of what is on a picture: the nearest picture of the data set, and a small CNN."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from training.vae import to_tensor

SHIFTS = (-3 / 128, 0.0, 3 / 128)  # of the picture's side
SCALES = (0.9, 1.0, 1.1)
WORKING_SIZE, COMPARED_SIZE = 64, 32  # pixels a side, for moving and for comparing
BATCH = 32
TWIN_DISTANCE = 0.035  # root mean square, of white to black, under which two pictures are one


def transform(
    pictures: torch.Tensor, scale: float, right: float, down: float, flip: bool
) -> torch.Tensor:
    """Pictures `[n, 3, h, w]` scaled, moved by parts of the side, mirrored; white outside."""
    mirrored = -1.0 if flip else 1.0
    matrix = torch.tensor([[mirrored / scale, 0.0, -2.0 * right], [0.0, 1.0 / scale, -2.0 * down]])
    grid = functional.affine_grid(
        matrix.expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False
    )
    moved = functional.grid_sample(pictures - 1.0, grid.to(pictures), align_corners=False)
    return moved + 1.0


def variants(pictures: torch.Tensor) -> Iterator[torch.Tensor]:
    """All small changes that leave a picture the same to the eye."""
    for flip in (False, True):
        for scale in SCALES:
            for right in SHIFTS:
                for down in SHIFTS:
                    yield transform(pictures, scale, right, down, flip)


def features(pictures: torch.Tensor) -> torch.Tensor:
    """`[n, d]`, whose mean squared difference is that of the averaged pictures in 0..1."""
    small = functional.adaptive_avg_pool2d(pictures, COMPARED_SIZE).flatten(1) / 2.0
    return torch.div(small, small.shape[1] ** 0.5)


class Nearest:
    """Finds the picture of the data set that looks most alike; twins count as one class."""

    def __init__(self, pixels: np.ndarray) -> None:
        """References `[n, h, w, 3]` uint8, one class each before twins are merged."""
        references = to_tensor(pixels)
        self._features = features(references)
        distances = self.distances(references)
        self.classes = np.arange(len(references))
        for one, other in zip(*np.nonzero(distances < TWIN_DISTANCE), strict=True):
            kept, gone = sorted((self.classes[one], self.classes[other]))
            self.classes[self.classes == gone] = kept

    def distances(self, pictures: torch.Tensor) -> np.ndarray:
        """`[n, references]`, the least over all variants of the picture."""
        pictures = functional.adaptive_avg_pool2d(pictures, WORKING_SIZE)
        least = torch.full((len(pictures), len(self._features)), torch.inf)
        for variant in variants(pictures):
            least = torch.minimum(least, torch.cdist(features(variant), self._features))
        return least.numpy()

    def ranks(self, pixels: np.ndarray, asked: Sequence[int]) -> np.ndarray:
        """For each picture, how many other classes look more alike than the asked reference's."""
        distances = self.distances(to_tensor(pixels))
        ranks = []
        for row, reference in zip(distances, asked, strict=True):
            own = self.classes == self.classes[reference]
            nearer = row < row[own].min()
            ranks.append(len(set(self.classes[nearer])))
        return np.array(ranks)


class Judge(nn.Module):
    """A CNN on 64 px that names the class of a picture; trained with augmentation."""

    SIZE = 64

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = [3, 16, 32, 64, 96]
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            blocks += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.2))
        self.head = nn.Linear(widths[-1] * 16, classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits `[n, classes]` of pictures `[n, 3, h, w]` in -1..1."""
        small = functional.adaptive_avg_pool2d(pictures, self.SIZE)
        logits: torch.Tensor = self.head(self.body(small))
        return logits


def train_judge(pixels: np.ndarray, classes: np.ndarray, seed: int, steps: int) -> Judge:
    """Train on references and their classes with moves, flips, noise, blur and tints."""
    torch.manual_seed(seed)
    judge = Judge(int(classes.max()) + 1)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    references, targets = to_tensor(pixels), torch.from_numpy(classes)
    small = functional.adaptive_avg_pool2d(references, Judge.SIZE)
    chance = np.random.default_rng(seed)
    for _ in range(steps):
        rows = torch.from_numpy(chance.integers(len(small), size=BATCH))
        moved = augment(small[rows], chance)
        loss = functional.cross_entropy(judge(moved), targets[rows], label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    return judge.eval()


def augment(pictures: torch.Tensor, chance: np.random.Generator) -> torch.Tensor:
    right, down = chance.uniform(-0.06, 0.06, 2)
    moved = transform(
        pictures, chance.uniform(0.85, 1.15), right, down, bool(chance.random() < 0.5)
    )
    if chance.random() < 0.5:
        moved = functional.avg_pool2d(moved, 3, stride=1, padding=1, count_include_pad=False)
    tint = torch.from_numpy(chance.normal(0.0, 0.08, (len(moved), 3, 1, 1))).float()
    noise = torch.randn_like(moved) * chance.uniform(0.0, 0.15)
    return (moved + tint + noise).clamp(-1.0, 1.0)
