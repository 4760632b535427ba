"""The pipeline behind LitServe with dynamic batching: `python -m bench.peers.litserve_server PORT`.

A batch holds what came within the window; requests of one key in it share a call of the pipeline,
because one call has one scheduler, one number of steps and one guidance.
"""

import logging
import sys
from collections import defaultdict
from typing import Any

import litserve
from fastapi import Response

from bench.peers.pipelines import Body, draw, load
from tessera.local.ports import HOST

MOST_IN_BATCH = 8
WINDOW_SECONDS = 0.020


class Api(litserve.LitAPI):
    """Batches by LitServe, the calls in them by key."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.pipeline = load()

    def decode_request(self, request: Body) -> Body:
        """Parsed already."""
        return request

    def batch(self, inputs: list[Body]) -> list[Body]:
        """As they are."""
        return inputs

    def predict(self, x: list[Body]) -> list[bytes]:
        """One call of the pipeline for each key."""
        keys: defaultdict[Any, list[int]] = defaultdict(list)
        for i, body in enumerate(x):
            keys[body.steps, body.sampler, body.guidance_scale].append(i)
        files = [b""] * len(x)
        for members in keys.values():
            drawn = draw(self.pipeline, [x[i] for i in members])
            for i, file in zip(members, drawn, strict=True):
                files[i] = file
        return files

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """One each."""
        return output

    def encode_response(self, output: bytes) -> Response:
        """The file itself."""
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    api = Api(max_batch_size=MOST_IN_BATCH, batch_timeout=WINDOW_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", timeout=120)
    server.run(host=HOST, port=int(sys.argv[1]), generate_client_file=False)
