"""The OpenAPI document against a running gateway: Schemathesis, with a key and without.

`python -m bench.contract --examples 200`. It wants Schemathesis, which has dependencies of its own:
`SCHEMATHESIS` names its program. Looked for are server errors, answers that the document does not
tell of, answers unlike their schema, and doors that open without a key.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.service import UNLIMITED, Service, running_service
from shared.connections import connect
from shared.ids import attempt_prefix, new_attempt_id
from shared.job import StoredImage, Timing
from shared.objects import ObjectStore
from shared.settings import JobSettings
from shared.store.api_key import USUAL_SCOPES
from shared.store.job_store import JobStore
from shared.store.keyring import Keyring
from shared.store.values import Claim

# A legal body may still be refused: an unknown model, a URL that leads nowhere, too large a cost.
EXCLUDED = "positive_data_acceptance"
PICTURE = b"not looked at"


def main() -> int:
    """Run both ways; the exit status is that of the worse one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="for each call and phase")
    parser.add_argument("--seconds", type=int, default=600, help="at most, for each way")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        running_service(Path(name), {**UNLIMITED, "TESSERA_AUTH": "keys"}) as service,
        _finished_at_once(service),
    ):
        client = connect(service.redis, name="contract").durable
        _, key = Keyring(client).create("contract", USUAL_SCOPES)
        limits = ["--max-examples", str(arguments.examples), "--max-time", str(arguments.seconds)]
        usual = [*limits, "--seed", str(arguments.seed), "--workers", "2"]
        ways = {"with a key": ["--header", f"Authorization: Bearer {key}"], "without": []}
        worst = 0
        for way, options in ways.items():
            print(f"== {way}", flush=True)
            worst = max(worst, _schemathesis(service, [*usual, *options]))
        return worst


def _schemathesis(service: Service, options: list[str]) -> int:
    program = os.environ.get("SCHEMATHESIS", "schemathesis")
    command = [program, "run", f"{service.url}/openapi.json", "--no-color", *options]
    checks = ["--exclude-checks", EXCLUDED, "--continue-on-failure"]
    return subprocess.run([*command, *checks], check=False).returncode


@contextmanager
def _finished_at_once(service: Service) -> Iterator[None]:
    """Jobs get a picture of no value as soon as they come, so that who waits goes on."""
    store = JobStore(connect(service.redis, name="stand-in"), JobSettings())
    objects = ObjectStore(service.storage)
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            claim = store.claim(["emoji"], new_attempt_id(), "stand-in")
            if claim is None:
                stopping.wait(0.02)
            else:
                _finish(store, objects, claim)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


def _finish(store: JobStore, objects: ObjectStore, claim: Claim) -> None:
    job = claim.job
    for index in range(job.request.num_images):
        key = f"{attempt_prefix(job.tenant, job.id, claim.attempt_id)}{index}.png"
        objects.put(key, PICTURE, "image/png")
        image = StoredImage(
            index=index,
            key=key,
            seed=job.request.image_seed(index),
            width=job.request.width,
            height=job.request.height,
            format="png",
            bytes=len(PICTURE),
            sha256=hashlib.sha256(PICTURE).hexdigest(),
        )
        store.add_image(job.id, claim.attempt_id, image)
    store.commit(job.id, claim.attempt_id, timing=Timing(queue_ms=1, total_ms=1))


if __name__ == "__main__":
    sys.exit(main())
