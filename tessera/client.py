"""The Python client: submit a prompt, watch the job, fetch the picture."""

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx2

from tessera.answers import Event, Job, JobPage

DEFAULT_URL = "http://127.0.0.1:8080"
POLL_SECONDS = (0.05, 1.0)  # the first pause of `wait`, and the longest
RECONNECTS = 5  # in a row without an event between them


class ClientError(Exception):
    """The root of what this client raises; the text is one line for people."""


class Unreachable(ClientError):
    """Nobody answers at that address, or the connection broke."""


class Refused(ClientError):
    """The service answered with a problem (RFC 9457): its HTTP status, code and field errors."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        wrong = [f"{error['field']}: {error['detail']}" for error in problem.get("errors", ())]
        super().__init__("; ".join([problem.get("detail", f"HTTP status {status}"), *wrong]))
        self.status = status
        self.code: str = problem.get("code", "unknown")
        self.problem = problem


class StillRunning(ClientError):
    """The job has not ended in the time that the caller gave it."""


class Client:
    """One service, one key. Safe to share between threads; close it, or use it in a `with`.

    Every method raises Unreachable or Refused.
    """

    def __init__(
        self, base_url: str = DEFAULT_URL, api_key: str | None = None, *, timeout: float = 30.0
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._base_url = base_url
        self._http = httpx2.Client(base_url=base_url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, prompt: str, *, idempotency_key: str | None = None, **fields: Any) -> Job:
        """Ask for pictures; `fields` are those of `POST /v1/jobs`. Returns at once."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self._call("POST", "/v1/jobs", json={"prompt": prompt, **fields}, headers=headers)
        return Job.model_validate(answer.json())

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        return Job.model_validate(self._call("GET", f"/v1/jobs/{job_id}").json())

    def list_jobs(
        self, *, status: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> JobPage:
        """A page of this key's jobs."""
        asked = {"status": status, "limit": limit, "cursor": cursor}
        given = {name: value for name, value in asked.items() if value is not None}
        return JobPage.model_validate(self._call("GET", "/v1/jobs", params=given).json())

    def cancel(self, job_id: str) -> Job:
        """Stop the job; a job that has ended is returned unchanged."""
        return Job.model_validate(self._call("POST", f"/v1/jobs/{job_id}/cancel").json())

    def delete(self, job_id: str) -> None:
        """Remove the job and its pictures, cancelling it if need be."""
        self._call("DELETE", f"/v1/jobs/{job_id}")

    def image(self, job_id: str, index: int = 0) -> bytes:
        """The bytes of a finished picture."""
        # httpx2 drops our key when the redirect leads to another origin, as S3 wants it.
        path = f"/v1/jobs/{job_id}/images/{index}"
        return self._call("GET", path, follow_redirects=True).content

    def preview(self, job_id: str) -> bytes:
        """The newest preview of a running job that asked for some, as a JPEG."""
        return self._call("GET", f"/v1/jobs/{job_id}/preview").content

    def trajectory(self, job_id: str, index: int = 0) -> bytes:
        """The animated WebP of a picture's denoising, if the job asked for it."""
        path = f"/v1/jobs/{job_id}/images/{index}/trajectory"
        return self._call("GET", path, follow_redirects=True).content

    def wait(self, job_id: str, *, seconds: float = 600) -> Job:
        """The job once it has ended.

        Raises:
            StillRunning: it has not ended after `seconds`.
        """
        deadline = time.monotonic() + seconds
        pause, longest = POLL_SECONDS
        while not (job := self.get(job_id)).done:
            if time.monotonic() > deadline:
                raise StillRunning(f"{job_id} is {job.status} after {seconds:g} s")
            time.sleep(pause)
            pause = min(pause * 1.5, longest)
        return job

    def events(self, job_id: str, *, last_event_id: str | None = None) -> Iterator[Event]:
        """The job's events as they happen, to the last one; a broken stream is taken up again.

        Without `last_event_id` the first event is a snapshot of the job.
        """
        failures = 0
        while True:
            try:
                for event in self._stream(job_id, last_event_id):
                    failures = 0
                    last_event_id = event.id
                    yield event
                    if event.final:
                        return
                return
            except Unreachable:
                failures += 1
                if failures > RECONNECTS:
                    raise
                time.sleep(0.1 * 2**failures)

    def _stream(self, job_id: str, last_event_id: str | None) -> Iterator[Event]:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        try:
            with self._http.sse(f"/v1/jobs/{job_id}/events", headers=headers) as source:
                if source.response.is_error:
                    source.response.read()
                    raise _refused(source.response)
                if source.response.status_code == httpx2.codes.NO_CONTENT:
                    return
                for sent in source:
                    yield Event(id=sent.id, type=sent.event, data=json.loads(sent.data))
        except httpx2.TransportError as error:
            raise Unreachable(f"the events of {job_id} broke off") from error

    def _call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise Unreachable(f"no answer from {self._base_url}; is Tessera running?") from error
        if response.is_error:
            raise _refused(response)
        return response


def _refused(response: httpx2.Response) -> Refused:
    # A proxy on the way answers in its own words.
    kind = response.headers.get("Content-Type", "")
    return Refused(response.status_code, response.json() if "json" in kind else {})
