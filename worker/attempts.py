"""The attempts in flight: who holds which slot, how far each is, and how one is told to end."""

import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from shared.job import Job, Progress
from shared.pace import HeldJob
from worker.engine.sample import Sample
from worker.fair_order import next_place


class Ending(StrEnum):
    """Why an attempt ends before its job is done."""

    CANCELED = "canceled"  # the job is terminal already
    LOST = "lost"  # another attempt owns the job
    RELEASED = "released"  # this worker drains; another may go on


class AttemptEnded(Exception):
    """Raised in a job's thread once its attempt was told to end."""


class Attempt:
    """One try at a job. Its own thread works; other threads read its progress and may end it."""

    def __init__(self, job: Job, attempt_id: str, *, suspect: bool, sequence: int) -> None:
        self.job = job
        self.attempt_id = attempt_id
        self.suspect = suspect
        self.sequence = sequence
        self.began = time.monotonic()
        self.samples: Sequence[Sample] = ()
        self.fits = ""  # what the checkpoints of its samples say, see ResidentModel.fits
        self.over = False  # nothing of it is to be kept any more
        self.images_done = len(job.images)
        self.ending: Ending | None = None
        self._ended = threading.Event()

    def seconds_left(self) -> float | None:
        """Until the job's deadline, by the store's clock at the claim; None without one."""
        job = self.job
        if job.request.deadline_seconds is None:
            return None
        assert job.claimed_at is not None
        at_claim = job.created_at + job.request.deadline_seconds - job.claimed_at
        return max(at_claim - (time.monotonic() - self.began), 0.0)

    def end(self, ending: Ending) -> None:
        """Tell the attempt to end; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self._ended.set()

    def pause(self, seconds: float) -> None:
        """Wait, but raise AttemptEnded as soon as the attempt is told to end."""
        if self._ended.wait(seconds):
            raise AttemptEnded

    def held(self) -> HeldJob:
        """What the cost model must know of the job."""
        request = self.job.request
        return HeldJob(
            tenant=self.job.tenant,
            priority=request.priority,
            model=request.model,
            pixels=request.width * request.height,
            rows=request.rows * request.num_images,
            cost=request.cost,
            cost_left=request.cost * (1 - self.progress().fraction),
            place=self.sequence,
            next_place=next_place(self.sequence, request.cost),
        )

    def progress(self) -> Progress:
        """Ticks done, averaged over the job's images, and pictures stored."""
        if not self.samples:
            return Progress(images_done=self.images_done)
        images = self.job.request.num_images
        first = self.samples[0]
        ticks = first.earlier_ticks + first.ticks + first.later_ticks
        # An image whose first pass is done has a sample for each pass.
        ticked: dict[int, int] = {}
        for sample in self.samples:
            ticked[sample.index] = max(
                sample.earlier_ticks + sample.tick, ticked.get(sample.index, 0)
            )
        # Images without a sample were finished by earlier attempts.
        done = ticks * (images - len(ticked)) + sum(ticked.values())
        return Progress(step=done // images, steps=ticks, images_done=self.images_done)


class Attempts:
    """All attempts of this worker, at most `slots`. Safe to use from any thread."""

    def __init__(self, slots: int, cancel_samples: Callable[[str], None]) -> None:
        """`cancel_samples` takes a job's id and stops its samples on the engine."""
        self.slots = slots
        self._cancel_samples = cancel_samples
        self._attempts: dict[str, Attempt] = {}
        self._changed = threading.Condition()

    @property
    def free(self) -> int:
        """Slots that hold no job."""
        return self.slots - len(self._attempts)

    def all(self) -> list[Attempt]:
        """The attempts in flight, oldest first."""
        with self._changed:
            return list(self._attempts.values())

    def add(self, attempt: Attempt) -> None:
        """Take a slot."""
        with self._changed:
            assert self.free > 0
            self._attempts[attempt.attempt_id] = attempt

    def remove(self, attempt: Attempt) -> None:
        """Give the slot back."""
        with self._changed:
            del self._attempts[attempt.attempt_id]
            self._changed.notify_all()

    def end(self, attempt_id: str, ending: Ending) -> None:
        """Tell one attempt to end, if it is still in flight."""
        with self._changed:
            attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.ending is None:
            attempt.end(ending)
            self._cancel_samples(attempt.job.id)

    def latent_area_waiting(self) -> int:
        """Of the largest sample that is not finished; 0 where there is none."""
        return max(
            (
                sample.latent_area
                for attempt in self.all()
                for sample in attempt.samples
                if not sample.finished.done()
            ),
            default=0,
        )

    def wait_for_change(self, seconds: float) -> None:
        """Return when a slot was given back, or after `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def models(self) -> frozenset[str]:
        """The models of the attempts in flight."""
        return frozenset(attempt.job.request.model for attempt in self.all())

    def wait_until_without(self, model: str, seconds: float) -> bool:
        """Return True once no attempt of that model is in flight, or False after `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(
                    attempt.job.request.model != model for attempt in self._attempts.values()
                ),
                seconds,
            )

    def wait_until_gone(self, attempts: Sequence[Attempt], seconds: float) -> bool:
        """Return True once these have given their slots back, or False after `seconds`."""
        ids = {attempt.attempt_id for attempt in attempts}
        with self._changed:
            return self._changed.wait_for(lambda: ids.isdisjoint(self._attempts), seconds)

    def wait_until_empty(self, seconds: float) -> bool:
        """Return True once no attempt is in flight, or False after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._attempts, seconds)
