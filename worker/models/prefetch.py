"""`python -m worker.models.prefetch`: fetches every model of `models.toml`, and loads none."""

import sys

from shared.catalog import ModelEntry, load_catalog
from shared.errors import ConfigurationError
from shared.settings import ModelSettings, settings_errors
from worker.models.files import check_hashes, locate_model, locate_weights


def prefetch(entry: ModelEntry) -> None:
    """See to it that all files of the entry lie on this machine, at their pinned revision.

    Raises ConfigurationError where one cannot be fetched or is not what it should be.
    """
    check_hashes(entry, locate_model(entry))
    vae = (entry.vae,) if entry.vae else ()
    for source in (*vae, *entry.controls, *entry.loras, *entry.embeddings):
        check_hashes(source, locate_weights(source))


def main() -> int:
    """The exit status: 0 when everything is here, 2 where the configuration is wrong."""
    try:
        with settings_errors():
            settings = ModelSettings()
        for entry in load_catalog(settings.models_file).models:
            prefetch(entry)
            sys.stdout.write(f"{entry.id} is here\n")
            sys.stdout.flush()
    except ConfigurationError as error:
        sys.stderr.write(f"tessera prefetch: {error.detail}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
