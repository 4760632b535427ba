"""Follow a job on the terminal: a bar of its denoising steps until it has ended."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tessera.answers import Job
from tessera.client import Client, ClientError

POLL_SECONDS = 0.1


class JobUnsuccessful(ClientError):
    """The job ended otherwise than with its pictures."""


def follow(client: Client, job: Job, check: Callable[[], None] = lambda: None) -> Job:
    """The job once it has succeeded. `check` is called between two looks and may raise.

    Raises:
        JobUnsuccessful: it failed, expired or was cancelled.
    """
    columns = (TextColumn("{task.description:9}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(job.status, total=1.0)
        while not job.done:
            check()
            time.sleep(POLL_SECONDS)
            job = client.get(job.id)
            bar.update(task, description=job.status, completed=job.progress.fraction)
    if job.status != "succeeded":
        reason = f": {job.error.detail}" if job.error else ""
        raise JobUnsuccessful(f"{job.id} {job.status}{reason}")
    return job
