"""FastAPI, RQ's own worker and the pipeline, as they are put together in an afternoon.

`python -m bench.peers.rq_service gateway PORT` and `... worker`, with REDIS_URL. The worker forks
for each job, as RQ's does, and a fork cannot use a GPU that its parent has used; so each job
loads the model. In its favour the worker has imported the libraries before it forks.
"""

import os
import sys

import redis
import rq
import uvicorn
from fastapi import FastAPI, Response

from bench.peers.pipelines import Body, draw, load
from tessera.local.ports import HOST

RESULT_SECONDS = 600


def generate(body: dict[str, object]) -> bytes:
    """One job."""
    return draw(load(), [Body.model_validate(body)])[0]


def gateway(connection: redis.Redis) -> FastAPI:
    """Enqueue; then answer polls."""
    app = FastAPI()
    queue = rq.Queue(connection=connection)

    @app.post("/jobs")
    def post(body: Body) -> str:
        # By the name that the worker knows it by: here it would be __main__'s.
        name = "bench.peers.rq_service.generate"
        return str(queue.enqueue(name, body.model_dump(), result_ttl=RESULT_SECONDS).id)

    @app.get("/jobs/{job_id}")
    def get(job_id: str) -> Response:
        job = rq.job.Job.fetch(job_id, connection=connection)
        if job.is_failed:
            return Response(status_code=500)
        if not job.is_finished:
            return Response(status_code=202)
        return Response(job.return_value(), media_type="image/png")

    return app


def main() -> None:
    """Be one of the two processes."""
    connection = redis.Redis.from_url(os.environ["REDIS_URL"])
    if sys.argv[1] == "gateway":
        uvicorn.run(gateway(connection), host=HOST, port=int(sys.argv[2]), log_level="warning")
    else:
        rq.Worker(["default"], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
