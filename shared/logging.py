"""Logs as JSON lines on stdout, each with the request's, the job's and the trace's id.

Callers pass ids, codes and durations in `extra=`; a prompt, a key, a signature or a link has no
place in a message.
"""

import logging
import sys
import time
from contextvars import ContextVar
from functools import lru_cache

from pydantic_core import to_json

from shared.settings import LogSettings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

# Chatty libraries, some of which would log whole requests.
QUIET = (
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    "asyncio",
    "rq",
    "rq.worker",  # sets a level of its own unless it has one
    "sse_starlette",
    "httpx2",
    "opentelemetry",
)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's message once more, for terminals
}


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, process, ids, and `extra`."""

    def __init__(self, process_name: str) -> None:
        super().__init__()
        self._process_name = process_name

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process_name,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := request_id.get()) is not None:
            line["request_id"] = request
        if (job := job_id.get()) is not None:
            line["job_id"] = job
        if (trace := trace_id.get()) is not None:
            line["trace_id"] = trace
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()


@lru_cache(1)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def configure_logging(process_name: str, settings: LogSettings) -> None:
    """Send every logger's records to stdout as JSON lines; called once, by `__main__`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(process_name))
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # What no line shows need not be found out; logging's own manual gives these switches.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
