"""The judges: small moves and mirrors do not fool the nearest, and twins are one."""

import numpy as np

from training import judges


def pictures() -> np.ndarray:
    """Eight pictures of random coarse blocks on white, `[8, 128, 128, 3]`."""
    blocks = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), dtype=np.uint8)
    inner = blocks.repeat(16, axis=1).repeat(16, axis=2)
    return np.pad(inner, ((0, 0), (16, 16), (16, 16), (0, 0)), constant_values=255)


def test_a_moved_mirror_image_is_recognised():
    nearest = judges.Nearest(pictures())
    moved = np.roll(pictures()[:, :, ::-1], (2, -3), axis=(1, 2))
    assert (nearest.ranks(moved, range(8)) == 0).all()
    assert (nearest.ranks(moved, [*range(1, 8), 0]) > 0).all()


def test_twins_are_one_class():
    doubled = np.concatenate([pictures(), pictures()[:1] // 250 * 250])
    doubled[8] = np.clip(pictures()[0].astype(int) + 3, 0, 255)
    nearest = judges.Nearest(doubled)
    assert nearest.classes.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert nearest.ranks(doubled[8:], [0]).tolist() == [0]


def test_the_cnn_learns_its_references():
    classes = np.arange(8)
    judge = judges.train_judge(pictures(), classes, seed=0, steps=20)
    named = judge(judges.to_tensor(pictures())).argmax(1).numpy()
    assert (named == classes).mean() >= 0.75
