"""Previews on their way out: encoded, stored and told, on a thread of their own."""

import logging
import threading

from shared.errors import StoreUnavailable
from shared.request import GenerationRequest
from shared.store.job_store import JobStore
from worker.compressors import Compressors
from worker.models.viewer import View

log = logging.getLogger(__name__)


class Previews:
    """Sends each job's newest preview; what a newer one overtakes is dropped."""

    def __init__(self, store: JobStore, compressors: Compressors) -> None:
        self._store = store
        self._compressors = compressors
        self._changed = threading.Condition()
        self._newest: dict[str, tuple[GenerationRequest, View]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; returns when the last one is out."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def offer(self, job_id: str, request: GenerationRequest, view: View) -> None:
        """Let this be the job's next preview. From any thread, and at once."""
        with self._changed:
            self._newest[job_id] = (request, view)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._stopping)
                if self._stopping:
                    return
                job_id = next(iter(self._newest))
                request, view = self._newest.pop(job_id)
            try:
                self._send(job_id, request, view)
            except StoreUnavailable as error:
                log.warning("a preview is dropped: %s", error.detail)
            except Exception:  # a defect in one preview must not end all later ones
                log.exception("a preview failed")

    def _send(self, job_id: str, request: GenerationRequest, view: View) -> None:
        data = self._compressors.encode_preview(view.pixels(), request)
        self._store.keep_preview(job_id, data, index=view.index, step=view.step, steps=view.steps)
