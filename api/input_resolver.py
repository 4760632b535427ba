"""A body's input pictures, given as data, link or id, become stored ones."""

import asyncio
import base64
import binascii
from collections.abc import Iterable

from api.body import JobBody
from api.conditioning import Pictures
from api.input_body import InputBody
from api.inputs import InputKeeper
from api.picture_check import MAX_PICTURE_BYTES
from shared.errors import (
    BodyTooLarge,
    FieldError,
    InvalidRequest,
    OutboundFailed,
    OutboundRefused,
    UnusablePicture,
)
from shared.outbound.client import Outbound
from shared.request import InputRef

FETCHES_AT_ONCE = 8  # each may hold one picture's bytes


class _Unusable(Exception):
    """What is wrong with one picture: the way it was named, a code and a detail."""

    def __init__(self, way: str, code: str, detail: str) -> None:
        super().__init__(code)
        self.way = way
        self.code = code
        self.detail = detail


class InputResolver:
    """Used on the event loop; nothing of a stranger's is fetched or decoded anywhere else."""

    def __init__(self, keeper: InputKeeper, outbound: Outbound, fetch_seconds: float) -> None:
        self._keeper = keeper
        self._outbound = outbound
        self._fetch_seconds = fetch_seconds
        self._fetches = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def resolve(self, tenant: str, body: JobBody) -> Pictures:
        """All of the body's pictures, each distinct one looked at once.

        Raises:
            InvalidRequest: names each field whose picture cannot be used.
            NotReady: Redis or S3 does not answer.
        """
        named = list(body.pictures())
        distinct = list(dict.fromkeys(picture for _, picture in named))
        answers = await asyncio.gather(*(self._look(tenant, picture) for picture in distinct))
        found = dict(zip(distinct, answers, strict=True))
        _require_all((path, found[picture]) for path, picture in named)
        refs = {path: ref for path, picture in named if isinstance(ref := found[picture], InputRef)}
        controls = tuple(refs[f"controls.{index}.image"] for index in range(len(body.controls)))
        return Pictures(refs.get("image"), refs.get("mask"), controls)

    async def _look(self, tenant: str, picture: InputBody) -> InputRef | _Unusable:
        try:
            if picture.id is not None:
                return await self._by_id(tenant, picture.id)
            if picture.data is not None:
                return await self._keep(tenant, "data", _decoded(picture.data))
            assert picture.url is not None
            return await self._by_url(tenant, picture.url)
        except _Unusable as unusable:
            return unusable

    async def _by_id(self, tenant: str, input_id: str) -> InputRef:
        stored = await self._keeper.find(tenant, input_id)
        if stored is None:
            raise _Unusable("id", "unknown_input", "no such input; send it to POST /v1/inputs")
        return InputRef(id=stored.id, width=stored.width, height=stored.height)

    async def _by_url(self, tenant: str, url: str) -> InputRef:
        async with self._fetches:
            try:
                fetched = await self._outbound.fetch(
                    url, max_bytes=MAX_PICTURE_BYTES, seconds=self._fetch_seconds
                )
            except (OutboundRefused, OutboundFailed) as error:
                raise _Unusable("url", error.code, error.detail) from error
            return await self._keep(tenant, "url", fetched.data)

    async def _keep(self, tenant: str, way: str, data: bytes) -> InputRef:
        try:
            stored = await self._keeper.keep(tenant, data)
        except (BodyTooLarge, UnusablePicture) as error:
            raise _Unusable(way, error.code, error.detail) from error
        return InputRef(id=stored.id, width=stored.width, height=stored.height)


def _require_all(answers: Iterable[tuple[str, InputRef | _Unusable]]) -> None:
    errors = tuple(
        FieldError(f"{path}.{answer.way}", answer.code, answer.detail)
        for path, answer in answers
        if isinstance(answer, _Unusable)
    )
    if errors:
        raise InvalidRequest("an input picture cannot be used", errors=errors)


def _decoded(text: str) -> bytes:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        # The command base64 breaks lines.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Unusable("data", "not_base64", "not base64, nor a data: URL of it") from error
