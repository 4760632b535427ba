"""`python -m tests.slowed_worker`: a true worker, with ticks as slow as a large model's.

`TESSERA_SLOWED_STEP_SECONDS` is a tick's time; while the file `TESSERA_SLOWED_HANG_FILE` exists,
ticks do not end at all; one of latents as wide as `TESSERA_SLOWED_POISON_SIDE` is the last. Its
compressors import this file again: it must be as light as `worker`'s.
"""

import logging
import os

if __name__ == "__main__":
    from tests.slowed_stepper import SlowedStepper
    from worker import __main__, runtime

    runtime.RecordedStepper = SlowedStepper  # type: ignore[misc]
    status = __main__.main()
    logging.shutdown()
    os._exit(status)
