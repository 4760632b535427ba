"""The records of input pictures: written before the object, removed after it."""

from collections.abc import Sequence

from shared.connections import RedisPair, store_errors
from shared.errors import QuotaExceeded, StoreUnavailable
from shared.store import keys
from shared.store.records import seconds
from shared.store.scripts import Scripts
from shared.store.values import StoredInput


class InputRecords:
    """The part of JobStore that knows which input pictures lie in S3, and until when."""

    _redis: RedisPair
    _scripts: Scripts

    def reserve_input(
        self, tenant: str, input_id: str, *, width: int, height: int, size: int
    ) -> bool:
        """Write the record of an object that is about to be stored; True: it is there already.

        `size` is the number of bytes that were sent. Then store the object and `confirm_input`.

        Raises:
            QuotaExceeded: the tenant has sent as many bytes as it may in a day.
            StoreUnavailable: also for the moment in which the same picture is being removed.
        """
        answer, *detail = self._scripts("reserve_input", tenant, input_id, width, height, size)
        if answer == "too_much":
            raise QuotaExceeded(
                "you have sent as many bytes of pictures as you may in a day",
                retry_after=seconds(detail[0]),
            )
        if answer == "leaving":
            raise StoreUnavailable("this input picture is being removed; send it again in a moment")
        return bool(answer == "stored")

    def confirm_input(self, tenant: str, input_id: str) -> None:
        """The object lies in S3: the input can be used."""
        with store_errors():
            self._redis.durable.hset(keys.input_picture(tenant, input_id), "stored", 1)

    def find_input(self, tenant: str, input_id: str) -> StoredInput | None:
        """The tenant's input, its time renewed; None where there is none."""
        return self.use_inputs(tenant, "", [input_id])[0]

    def use_inputs(
        self, tenant: str, job_id: str, input_ids: Sequence[str]
    ) -> list[StoredInput | None]:
        """Renew inputs, and keep them until the job has ended; to be called before its creation."""
        rows = self._scripts("use_inputs", tenant, job_id, *input_ids)
        return [
            StoredInput(input_id, int(row[0]), int(row[1]), int(row[2]), seconds(row[3]))
            if row
            else None
            for input_id, row in zip(input_ids, rows, strict=True)
        ]

    def due_inputs(self, limit: int) -> list[tuple[str, str]]:
        """(tenant, input id) of those to remove: the object first, then `forget_input`."""
        members: list[str] = self._scripts("due_inputs", limit)
        return [(tenant, input_id) for tenant, _, input_id in (m.rpartition("/") for m in members)]

    def forget_input(self, tenant: str, input_id: str) -> None:
        """Remove the record of an input that is leaving; its object is gone already."""
        pipeline = self._redis.durable.pipeline()
        pipeline.delete(keys.input_picture(tenant, input_id), keys.input_jobs(tenant, input_id))
        pipeline.zrem(keys.INPUTS, f"{tenant}/{input_id}")
        with store_errors():
            pipeline.execute()
