"""`python -m worker`: a supervisor and its GPU process, configured by `TESSERA_*`."""

import gc
import logging
import os
import sys

from shared.errors import ConfigurationError
from shared.logging import configure_logging
from worker.settings import read_settings


def main() -> int:
    """The exit status: 0 after SIGTERM, 2 where the configuration is wrong."""
    try:
        settings = read_settings()
    except ConfigurationError as error:
        print(f"tessera worker: {error.detail}", file=sys.stderr)  # noqa: T201 for whoever started it
        return 2
    configure_logging("worker", settings.log)
    # Libraries that ask for CUDA while they are imported would else make it unusable after a fork.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

    # Nothing of what is imported is garbage, now or later: looking through it takes a third of a
    # second each time, and in a forked process copies every page of it.
    gc.disable()
    from worker.supervisor import Supervisor  # seconds, and not for a wrong setting

    gc.freeze()
    gc.enable()
    return Supervisor(settings).run()


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # the interpreter would take seconds to take the libraries apart
