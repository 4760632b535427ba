"""Input pictures: checked off the event loop, stored once for each tenant and content."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi.concurrency import run_in_threadpool

from api.picture_check import MAX_PICTURE_BYTES, CheckedPicture, check_picture
from shared.errors import BodyTooLarge
from shared.ids import input_id_of, input_key
from shared.objects import ObjectStore
from shared.store.job_store import JobStore
from shared.store.values import StoredInput

# Each check may hold a few hundred megabytes, and the event loop wants a core of its own.
CHECKS_AT_ONCE = 2


class InputKeeper:
    """Keeps a tenant's pictures; the same bytes are checked and stored once."""

    def __init__(self, store: JobStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects
        self._checks = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="picture-check")

    def close(self) -> None:
        """End the threads; checks that nobody waits for are not begun."""
        self._checks.shutdown(wait=False, cancel_futures=True)

    async def keep(self, tenant: str, data: bytes) -> StoredInput:
        """The input that these bytes are, stored if it was not.

        Raises:
            BodyTooLarge, UnusablePicture: it is none that we take.
            NotReady: Redis or S3 does not answer.
        """
        if len(data) > MAX_PICTURE_BYTES:
            raise BodyTooLarge(f"a picture may have at most {MAX_PICTURE_BYTES} bytes")
        known = await run_in_threadpool(self._find, tenant, data)
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(self._checks, check_picture, data)
        return await run_in_threadpool(self._add, tenant, data, checked)

    async def find(self, tenant: str, input_id: str) -> StoredInput | None:
        """The tenant's input of that id, its time renewed."""
        return await run_in_threadpool(self._store.find_input, tenant, input_id)

    def _find(self, tenant: str, data: bytes) -> StoredInput | None:
        return self._store.find_input(tenant, input_id_of(data))

    def _add(self, tenant: str, data: bytes, checked: CheckedPicture) -> StoredInput:
        input_id = input_id_of(data)
        there = self._store.reserve_input(
            tenant, input_id, width=checked.width, height=checked.height, size=len(data)
        )
        if not there:
            self._objects.put(input_key(tenant, input_id), checked.png, "image/png")
            self._store.confirm_input(tenant, input_id)
        stored = self._store.find_input(tenant, input_id)
        assert stored is not None, "its time was renewed a moment ago"
        return stored
