"""Long random walks over all operations, each step compared with the plain model."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from shared.ids import new_attempt_id, new_job_id
from shared.request import PRIORITIES
from tests.unit.shared.store.model import RANKS, TERMINAL, Model, ModelJob
from tests.unit.shared.store.world import LASTING, MODEL, PASSING, TIMING, World, make_image

WALKS = 8
STEPS = 250
TENANTS = ("ada", "bob", "cyd")
WORKERS = ("w1", "w2", "w3")


class Walk:
    """One walk: a store, its model, and the attempts that were ever made, zombies included."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.store = world.store
        self.model = Model()
        self.random = random.Random(seed)
        self.claims: list[Any] = []
        self.submitted = 0

    def step(self) -> None:
        acts: dict[Callable[[], None], int] = {
            self.submit: 10,
            self.claim: 10,
            self.claim_again: 1,
            self.add_image: 12,
            self.commit: 8,
            self.fail: 3,
            self.release: 2,
            self.cancel: 2,
            self.delete: 1,
            self.forget: 1,
            self.pass_a_deadline: 1,
            self.expire: 1,
            self.reap_worker: 1,
            self.reap_leases: 1,
            self.beat: 2,
        }
        (act,) = self.random.choices(list(acts), list(acts.values()))
        act()

    def submit(self) -> None:
        tenant, priority = self.random.choice(TENANTS), self.random.choice(PRIORITIES)
        steps, num_images = self.random.randint(1, 20), self.random.randint(1, 2)
        late = self.random.random() < 0.3
        created = self.world.create(
            tenant,
            job_id=new_job_id(),
            priority=priority,
            steps=steps,
            num_images=num_images,
            deadline_seconds=600.0 if late else None,
        )
        self.submitted += 1
        cost = float(steps * num_images)
        self.model.submit(
            ModelJob(created.job_id, self.submitted, tenant, priority, cost, num_images, late)
        )

    def claim(self) -> None:
        floor = self.random.choice([*PRIORITIES, None])
        self._claim(new_attempt_id(), self.random.choice(WORKERS), floor)

    def claim_again(self) -> None:
        if self.claims:
            old = self.random.choice(self.claims)
            job = self.model.jobs.get(old.job.id)
            running = job and job.status == "running" and job.attempt == old.attempt_id
            again = self.store.claim([MODEL], old.attempt_id, "w1")
            assert (again.job.id if again else None) == (old.job.id if running else None)

    def _claim(self, attempt: str, worker: str, floor: Any) -> None:
        rank = RANKS.index(floor) + 1 if floor else 3
        expected = self.model.claim(attempt, worker, rank)
        claim = self.store.claim([MODEL], attempt, worker, floor)
        assert (claim.job.id if claim else None) == expected
        if claim:
            self.claims.append(claim)

    def _some_claim(self) -> Any:
        """A claim made before: mostly one that still holds."""
        held = [c for c in self.claims if self._holds(c)]
        return self.random.choice(held if held and self.random.random() < 0.8 else self.claims)

    def _holds(self, claim: Any) -> bool:
        job = self.model.jobs.get(claim.job.id)
        return bool(job and job.status == "running" and job.attempt == claim.attempt_id)

    def add_image(self) -> None:
        if self.claims:
            claim = self._some_claim()
            index = self.random.randrange(claim.job.request.num_images)
            job = self.model.jobs.get(claim.job.id)
            if job and index in job.images and job.images[index] != claim.attempt_id:
                return  # a later attempt skips pictures that are done
            expected = self.model.add_image(claim.job.id, claim.attempt_id, index)
            assert self.world.add_image(claim, index) == expected

    def commit(self) -> None:
        if self.claims:
            claim = self._some_claim()
            job = self.model.jobs.get(claim.job.id)
            if self._holds(claim) and job and len(job.images) < job.num_images:
                return
            expected = self.model.end_attempt(claim.job.id, claim.attempt_id, "commit")
            assert self.world.commit(claim) == expected

    def fail(self) -> None:
        if self.claims:
            claim, retryable = self._some_claim(), self.random.random() < 0.7
            job_id, attempt = claim.job.id, claim.attempt_id
            expected = self.model.end_attempt(job_id, attempt, "fail", retryable=retryable)
            error = PASSING if retryable else LASTING
            assert self.store.fail(job_id, attempt, error, timing=TIMING) == expected

    def release(self) -> None:
        if self.claims:
            claim = self._some_claim()
            expected = self.model.end_attempt(claim.job.id, claim.attempt_id, "release")
            assert self.world.release(claim) == expected

    def _some_job(self) -> str:
        return self.random.choice([*self.model.jobs, "job_none"])

    def cancel(self) -> None:
        job_id = self._some_job()
        expected = self.model.cancel(job_id)
        job = self.store.cancel(job_id)
        assert (job.status if job else None) == expected

    def delete(self) -> None:
        job_id = self._some_job()
        assert self.store.delete(job_id) == self.model.delete(job_id)

    def forget(self) -> None:
        ended = self.model.in_status(*TERMINAL)
        if ended:
            job = self.random.choice(ended)
            del self.model.jobs[job.id]
            self.store.forget(job.id)

    def pass_a_deadline(self) -> None:
        jobs = [job for job in self.model.in_status("queued", "running") if job.has_deadline]
        if jobs:
            job = self.random.choice(jobs)
            job.overdue = True
            self.world.pass_deadline(job.id)

    def expire(self) -> None:
        assert set(self.store.expire_due()) == self.model.expire_due()

    def reap_worker(self) -> None:
        worker = self.random.choice(WORKERS)
        blamed = {self._some_job() for _ in range(3)} if self.random.random() < 0.5 else None
        requeued, failed = self._in_store_order(lambda: self.model.reap_worker(worker, blamed))
        reaped = self.store.reap(worker_id=worker, blamed=blamed)
        assert (set(reaped.requeued), set(reaped.failed)) == (requeued, failed)

    def reap_leases(self) -> None:
        running = [job.id for job in self.model.in_status("running")]
        ended = set(self.random.sample(running, len(running) // 3))
        for job_id in ended:
            self.world.end_lease(job_id)
        requeued, failed = self._in_store_order(lambda: self.model.reap_leases(ended))
        if ended:
            reaped = self.store.reap()
            assert (set(reaped.requeued), set(reaped.failed)) == (requeued, failed)

    def _in_store_order(self, act: Callable[[], Any]) -> Any:
        # Jobs come back in the order of their leases, which decides who finds whom waiting.
        order = {
            job_id: i for i, job_id in enumerate(self.world.raw.zrange("tessera:leases", 0, -1))
        }
        self.model.jobs = dict(
            sorted(self.model.jobs.items(), key=lambda item: order.get(item[0], -1))
        )
        return act()

    def beat(self) -> None:
        attempts = {claim.job.id: claim.attempt_id for claim in self.claims[-6:]}
        lost, cancelled = self.model.beat(attempts)
        beat = self.store.beat("w1", attempts)
        assert (set(beat.lost), set(beat.cancelled)) == (lost, cancelled)

    def compare(self) -> None:
        """Every index and every record is what the model says."""
        jobs = list(self.model.jobs.values())
        pipeline = self.world.raw.pipeline(transaction=False)
        for name in ("leases", "deadlines", "expiry", "sweeps"):
            pipeline.zrange(f"tessera:{name}", 0, -1)
        for priority in RANKS:
            lane = f"tessera:lane:{MODEL}:{priority}"
            pipeline.zrange(f"{lane}:waiting", 0, -1)
            pipeline.zrange(f"{lane}:tenants", 0, -1, withscores=True)
        for tenant in TENANTS:
            for status in ("jobs", "queued", "running", *TERMINAL):
                pipeline.zrange(f"tessera:tenant:{tenant}:{status}", 0, -1)
        answers = iter(pipeline.execute())
        running = {job.id for job in jobs if job.status == "running"}
        assert set(next(answers)) == running
        live = {job.id for job in jobs if job.status in ("queued", "running")}
        assert set(next(answers)) == {job.id for job in jobs if job.id in live and job.has_deadline}
        assert set(next(answers)) == {job.id for job in jobs if job.id not in live}
        assert {tuple(prefix.split("/")[1:3]) for prefix in next(answers)} == self.model.sweeps
        for priority in RANKS:
            waiting = [j for j in jobs if (j.status, j.priority) == ("queued", priority)]
            waiting.sort(key=lambda job: job.number)
            assert next(answers) == [job.id for job in waiting]
            assert dict(next(answers)) == pytest.approx(self.model.active[priority])
        for tenant in TENANTS:
            mine = [job for job in jobs if job.tenant == tenant and not job.deleted]
            assert set(next(answers)) == {job.id for job in mine}
            for status in ("queued", "running", *TERMINAL):
                assert set(next(answers)) == {job.id for job in mine if job.status == status}

    def compare_records(self) -> None:
        """Every record, its pictures, and every status that was told."""
        for expected in self.model.jobs.values():
            job = self.store.get(expected.id)
            assert (job is None) == expected.deleted
            if job:
                counts = (job.status, job.attempts, job.crashes)
                assert counts == (expected.status, expected.attempts, expected.crashes)
                claims = {(claim.job.id, claim.attempt_id): claim for claim in self.claims}
                assert job.images == tuple(
                    make_image(claims[job.id, attempt], index)
                    for index, attempt in sorted(expected.images.items())
                )
            events = self.world.raw.xrange(f"tessera:events:{expected.id}")
            told = [entry["data"].split('"')[3] for _, entry in events if entry["type"] == "status"]
            assert told == expected.statuses_told
            assert sum(status in TERMINAL for status in told) == (expected.status in TERMINAL)

    def clear(self) -> None:
        """Remove every job, as the keeper would."""
        for job_id in self.model.jobs:
            self.store.delete(job_id)
            self.store.forget(job_id)


@pytest.mark.parametrize("seed", range(WALKS))
def test_the_store_does_what_the_model_says(world: World, seed: int) -> None:
    walk = Walk(world, seed)
    for _ in range(STEPS):
        walk.step()
        walk.compare()
    walk.compare_records()
    walk.clear()
    lasting = {key for key in world.raw.scan_iter() if world.raw.ttl(key) == -1}
    assert lasting <= {"tessera:sweeps", "tessera:queue:turn", "tessera:queue:reaped_at"}
