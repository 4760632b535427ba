"""The job store itself, for the operator's commands: a running stack's, or TESSERA_REDIS_URL's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera.commands.console import fail

if TYPE_CHECKING:
    import redis

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of a running `tessera up`; without one TESSERA_REDIS_URL says where."
    ),
]


@contextmanager
def durable_store(data_dir: Path | None) -> Iterator["redis.Redis"]:
    """A client of the durable server; what goes wrong ends the command."""
    from shared.connections import connect
    from shared.errors import TesseraError
    from shared.settings import RedisSettings
    from tessera.local.description import read_description
    from tessera.local.errors import StackError

    try:
        settings = (
            RedisSettings(redis_url=read_description(data_dir)["redis_url"])
            if data_dir
            else RedisSettings()
        )
        yield connect(settings, name="tessera-command").durable
    except StackError as error:
        fail(error)
    except TesseraError as error:
        fail(error.detail)
