"""Files of hub repositories, at a pinned commit; without the network once they are fetched."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from shared.catalog import Source
from shared.errors import ConfigurationError
from worker.models.folder import choose_weights

TOP = "."  # the repository's own folder
DESCRIPTIONS = frozenset({".json", ".txt"})


def locate(source: Source, check: Callable[[Path], None], folders: Sequence[str] = (TOP,)) -> Path:
    """Where the source lies on this machine: a file or a folder, fetched first if need be.

    Of a repository come the weights and descriptions in `folders`; `check` raises
    ConfigurationError while a folder lacks something. Raises that too where nothing can be
    fetched.
    """
    if source.path is not None:
        return source.path
    assert source.repository is not None
    try:
        if source.file is not None:
            return Path(hf_hub_download(source.repository, source.file, revision=source.revision))
        return _folder(source.repository, source.revision, check, folders)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"{source.repository} cannot be fetched: {reason}") from error


def _folder(
    repository: str, revision: str | None, check: Callable[[Path], None], folders: Sequence[str]
) -> Path:
    with suppress(LocalEntryNotFoundError, ConfigurationError):
        cached = Path(snapshot_download(repository, revision=revision, local_files_only=True))
        check(cached)
        return cached
    names = HfApi().list_repo_files(repository, revision=revision)
    wanted = choose_files(names, folders)
    return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted))


def choose_files(names: Sequence[str], folders: Sequence[str]) -> list[str]:
    """What to fetch of a repository's files: descriptions, and one copy of the weights.

    No pickles, and no second copies in other precisions.
    """
    chosen = ["model_index.json"]
    for folder in folders:
        own = [path for path in map(PurePosixPath, names) if str(path.parent) == folder]
        chosen += [str(path) for path in own if path.suffix in DESCRIPTIONS]
        with suppress(ConfigurationError):  # tokenizers and schedulers have none
            weights = choose_weights([path.name for path in own])
            chosen += [str(PurePosixPath(folder) / name) for name in weights]
    return chosen
