"""What a test sees of a running service: a picture's pixels, and how full the batches were."""

import base64
import io

import httpx2
import numpy as np
from PIL import Image

from tessera.client import Client
from tests.e2e.running import RunningStack


def pixels(data: bytes) -> np.ndarray:
    """A picture file as [height, width, 3]."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def as_input(picture: np.ndarray) -> dict[str, str]:
    """The pixels as an input that is sent with the request."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return {"data": base64.b64encode(stream.getvalue()).decode()}


def finished(client: Client, job_id: str) -> np.ndarray:
    """The pixels of the job's first picture, once it has succeeded."""
    job = client.wait(job_id)
    assert job.status == "succeeded", job.error
    return pixels(client.image(job.id))


def batch_rows(stack: RunningStack) -> tuple[float, float]:
    """Sum of rows, and number of ticks, since the worker started."""
    lines = httpx2.get(stack.description["metrics"]["worker"]).text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("tessera_batch_rows_"))
    return float(values["tessera_batch_rows_sum"]), float(values["tessera_batch_rows_count"])
