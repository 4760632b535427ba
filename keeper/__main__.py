"""`python -m keeper`: the housekeeper, configured by `TESSERA_*`."""

import logging
import signal
import sys

from keeper.runtime import STOP_SIGNALS, Keeper, build
from keeper.settings import Settings, read_settings
from shared.errors import ConfigurationError, StoreUnavailable
from shared.logging import configure_logging

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


def main() -> int:
    """The exit status: 0 after SIGTERM, 2 where the configuration is wrong."""
    # Threads inherit the mask, so that the signals wait for the main thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        settings = read_settings()
        configure_logging("keeper", settings.log)
        keeper = _build_once_redis_answers(settings)
    except ConfigurationError as error:
        print(f"tessera keeper: {error.detail}", file=sys.stderr)  # noqa: T201 for whoever started it
        return 2
    if keeper is not None:
        keeper.run()
    return 0


def _build_once_redis_answers(settings: Settings) -> Keeper | None:
    """None where it was told to stop before."""
    while True:
        try:
            return build(settings)
        except StoreUnavailable as error:
            log.warning("cannot start yet: %s (TESSERA_REDIS_URL)", error.detail)
        if signal.sigtimedwait(STOP_SIGNALS, RETRY_SECONDS) is not None:
            return None


if __name__ == "__main__":
    sys.exit(main())
