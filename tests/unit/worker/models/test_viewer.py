"""Which ticks a viewer looks at, which image it shows, and which frames it keeps."""

from itertools import pairwise

import pytest
import torch

from shared.request import Hires
from tests.tiny_request import tiny_request
from tests.toy_stepper import make_sample
from worker.models.viewer import TRAJECTORY_FRAMES, Viewer

PLACE = torch.zeros(8, 8, 3, dtype=torch.uint8)


def run(viewer, samples, seconds_a_tick, began=1000):
    """Let the samples tick together to their end."""
    for tick in range(samples[0].ticks):
        now = began + tick * seconds_a_tick
        seen = [sample for sample in samples if viewer.wants(sample, now)]
        if seen:
            viewer.show(now, [(sample, PLACE, None) for sample in seen])
        for sample in samples:
            sample.tick += 1


def viewed(samples, seconds_a_tick=1.0, **fields):
    """What was offered, as (index, step, steps); and the viewer."""
    offered = []
    viewer = Viewer(tiny_request(**fields), offered.append)
    run(viewer, samples, seconds_a_tick)
    return [(view.index, view.step, view.steps) for view in offered], viewer


def test_every_nth_step_is_shown():
    offered, viewer = viewed([make_sample(ticks=10)], preview_every=3)
    assert offered == [(0, 3, 10), (0, 6, 10), (0, 9, 10)]
    assert viewer.frames(0) == []


def test_no_more_than_two_a_second():
    offered, _ = viewed([make_sample(ticks=20)], seconds_a_tick=0.1, preview_every=1)
    assert [step for _, step, _ in offered] == [1, 6, 11, 16]


def test_the_images_take_turns():
    samples = [make_sample(index=index, ticks=6) for index in range(3)]
    offered, _ = viewed(samples, preview_every=1)
    assert [index for index, _, _ in offered] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("ticks", [1, 7, TRAJECTORY_FRAMES, 150])
def test_a_trajectory_is_even_and_ends_with_the_last_tick(ticks):
    offered, viewer = viewed([make_sample(ticks=ticks)], seconds_a_tick=0.01, trajectory=True)
    steps = [view.step for view in viewer.frames(0)]
    assert offered == []
    assert len(steps) == min(ticks, TRAJECTORY_FRAMES)
    assert steps[-1] == ticks
    gaps = {later - earlier for earlier, later in pairwise(steps)}
    assert max(gaps, default=1) - min(gaps, default=1) <= 1


def test_two_passes_are_one_way():
    request = tiny_request(
        preview_every=50, trajectory=True, hires=Hires(scale=2, strength=0.5, steps=100)
    )
    offered = []
    viewer = Viewer(request, offered.append)
    first = make_sample(ticks=100)
    first.later_ticks = 50
    run(viewer, [first], 1.0)
    second = make_sample(ticks=50)
    second.earlier_ticks = 100
    run(viewer, [second], 1.0, began=1100)
    assert [(view.step, view.steps) for view in offered] == [(50, 150), (100, 150), (150, 150)]
    assert len(viewer.frames(0)) == TRAJECTORY_FRAMES
    assert viewer.frames(0)[-1].step == 150
