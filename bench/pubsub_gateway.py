"""Events as they are usually served: each client has a Redis subscription of its own.

`python -m bench.pubsub_gateway PORT REDIS_URL`: FastAPI, sse-starlette and redis-py's pub/sub.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import redis.asyncio
import uvicorn
from fastapi import FastAPI
from sse_starlette import EventSourceResponse, ServerSentEvent

from shared.store import keys
from tessera.local.ports import HOST


def make_app(url: str) -> FastAPI:
    """One call beside the one that says that it lives."""
    app = FastAPI()
    client = redis.asyncio.Redis.from_url(url, decode_responses=True, max_connections=10_000)

    async def events(job_id: str) -> AsyncIterator[Any]:
        async with client.pubsub() as subscription:
            await subscription.subscribe(keys.events(job_id))
            yield ServerSentEvent("{}", event="status")
            async for message in subscription.listen():
                if message["type"] == "message":
                    event = json.loads(message["data"])
                    data = json.dumps(event["data"], separators=(",", ":"))
                    yield ServerSentEvent(data, event=event["type"])

    @app.get("/livez")
    async def livez() -> None:
        return None

    @app.get("/v1/jobs/{job_id}/events")
    async def watch(job_id: str) -> EventSourceResponse:
        return EventSourceResponse(events(job_id))

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[2]), host=HOST, port=int(sys.argv[1]), log_level="warning")
