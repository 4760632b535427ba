"""The gateway bench's yardstick: FastAPI validates the same body, and touches nothing."""

import sys

import uvicorn
from fastapi import FastAPI

from api.body import JobBody

app = FastAPI()


@app.post("/v1/jobs", status_code=202)
def submit(body: JobBody) -> dict[str, str]:
    """Accept."""
    return {"prompt": body.prompt}


@app.get("/livez")
async def livez() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
