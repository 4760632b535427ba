"""The gateway bench's yardstick: FastAPI validates the same body, and touches nothing.

As FastAPI's manual begins, the endpoint is a plain function, which runs in the thread pool; beside
it the same as a coroutine, which spares the two changes of thread.
"""

import sys

import uvicorn
from fastapi import FastAPI

from api.body import JobBody

app = FastAPI()


@app.post("/v1/jobs", status_code=202)
def submit(body: JobBody) -> dict[str, str]:
    """Accept."""
    return {"prompt": body.prompt}


@app.post("/v1/jobs/coroutine", status_code=202)
async def submit_without_a_thread(body: JobBody) -> dict[str, str]:
    """Accept."""
    return {"prompt": body.prompt}


@app.get("/livez")
async def livez() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
