"""`tessera generate` and `tessera jobs`: the service's API from the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera.client import DEFAULT_URL
from tessera.commands.console import INTERRUPTED, KeyOption, UrlOption, connected
from tessera.commands.progress import follow
from tessera.commands.saving import format_for, save_images
from tessera.commands.store import DataDirOption, durable_store

jobs = typer.Typer(no_args_is_help=True, help="Look at jobs, stop them, try them again.")


def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A file's name (its suffix chooses the format), or a folder."
        ),
    ] = Path("out"),
    model: Annotated[str | None, typer.Option()] = None,
    negative_prompt: Annotated[str | None, typer.Option()] = None,
    width: Annotated[int | None, typer.Option(help="In pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="In pixels.")] = None,
    num_images: Annotated[int | None, typer.Option("--num-images", "-n")] = None,
    steps: Annotated[int | None, typer.Option()] = None,
    guidance_scale: Annotated[float | None, typer.Option()] = None,
    sampler: Annotated[str | None, typer.Option()] = None,
    schedule: Annotated[str | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    priority: Annotated[str | None, typer.Option(help="high, normal or low.")] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: KeyOption = None,
) -> None:
    """Draw a prompt; print where the pictures lie. What is not given is the model's default."""
    picture_format = format_for(output)
    asked = {
        "model": model,
        "negative_prompt": negative_prompt,
        "width": width,
        "height": height,
        "num_images": num_images,
        "steps": steps,
        "guidance_scale": guidance_scale,
        "sampler": sampler,
        "schedule": schedule,
        "seed": seed,
        "priority": priority,
        "output": {"format": picture_format} if picture_format else None,
    }
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    with connected(url, api_key) as client:
        job = client.submit(prompt, **given)
        try:
            job = follow(client, job)
        except KeyboardInterrupt:
            typer.echo(f"it goes on; to stop it: tessera jobs cancel {job.id}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        for warning in job.warnings:
            typer.echo(f"warning: {warning.detail}", err=True)
        for path in save_images(client, job, output):
            print(path)


@jobs.command("list")
def list_jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    url: UrlOption = DEFAULT_URL,
    api_key: KeyOption = None,
) -> None:
    """The newest jobs, one a line: id, status, prompt."""
    with connected(url, api_key) as client:
        for job in client.list_jobs(status=status, limit=limit).data:
            print(f"{job.id}  {job.status:9}  {job.request['prompt'][:60]!r}")


@jobs.command()
def get(job_id: str, url: UrlOption = DEFAULT_URL, api_key: KeyOption = None) -> None:
    """One job, as JSON."""
    with connected(url, api_key) as client:
        print(client.get(job_id).model_dump_json(indent=2))


@jobs.command()
def cancel(job_id: str, url: UrlOption = DEFAULT_URL, api_key: KeyOption = None) -> None:
    """Stop a job; print its status."""
    with connected(url, api_key) as client:
        print(client.cancel(job_id).status)


@jobs.command()
def history(job_id: str, data_dir: DataDirOption = None) -> None:
    """How each attempt at a job ended, one a line, and at last why the job failed.

    For operators: it is read from the job store itself, and names workers.
    """
    from shared.connections import RedisPair
    from shared.errors import NotFound
    from shared.settings import JobSettings
    from shared.store.job_store import JobStore

    with durable_store(data_dir) as client:
        job = JobStore(RedisPair(client, client), JobSettings()).get(job_id)
        if job is None:
            raise NotFound(f"there is no job {job_id}")
    for one in job.history:
        ended = datetime.fromtimestamp(one.ended, UTC).isoformat(timespec="seconds")
        lasted = f"{one.ended - one.began:.1f} s"
        print(
            f"{one.attempt}  {ended}  {lasted}  {one.worker}  {one.how} {one.code or ''}".rstrip()
        )
    print(f"{job.status}: {job.error.code}, {job.error.detail}" if job.error else job.status)


@jobs.command()
def retry(
    job_id: Annotated[str, typer.Argument(help="A job that has failed.")],
    data_dir: DataDirOption = None,
) -> None:
    """Submit a failed job's request again, for its tenant; print the new job's id.

    For operators: it is written into the job store itself, and calls no webhook.
    """
    from shared.connections import RedisPair
    from shared.settings import JobSettings
    from shared.store.again import submit_again
    from shared.store.job_store import JobStore

    with durable_store(data_dir) as client:
        typer.echo(submit_again(JobStore(RedisPair(client, client), JobSettings()), job_id))
