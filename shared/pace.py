"""How fast a worker is and what it holds, as it tells: what the cost model reckons with."""

from pydantic import BaseModel, ConfigDict

from shared.request import Priority


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SizePace(_Record):
    """One size of picture.

    Attributes:
        pixels: width times height.
        tick_seconds: device time of a tick by the padded rows of its batch; not empty.
        served_seconds: device time that this size had lately; only its share means something.
    """

    pixels: int
    tick_seconds: dict[int, float]
    served_seconds: float


class ModelPace(_Record):
    """One model.

    Attributes:
        max_rows: the widest batch.
        sizes: those that were measured, at least one.
        prepare_seconds: from a job's claim to its first tick, prompt and input pictures.
        picture_seconds: from a picture's last tick to its storing.
        load_seconds: what it takes to make the model resident.
    """

    model: str
    max_rows: int
    sizes: tuple[SizePace, ...]
    prepare_seconds: float
    picture_seconds: float
    load_seconds: float


class HeldJob(_Record):
    """One job in a worker's hands.

    Attributes:
        rows: lines that all its pictures together take in a batch.
        cost: as GenerationRequest.cost; cost_left for the steps still to be done.
        place: in the worker's fair order; the tenant's next job comes at `next_place`.
    """

    tenant: str
    priority: Priority
    model: str
    pixels: int
    rows: int
    cost: float
    cost_left: float
    place: int
    next_place: int


class WorkerPace(_Record):
    """One worker.

    Attributes:
        models: those that were measured.
        crowded_speed: cost done in a second lately, while more waited than a tick could take.
        slots: how many jobs it holds at most, `high_slots` of them for high priority only.
        held: the jobs that it has claimed.
    """

    models: tuple[ModelPace, ...] = ()
    crowded_speed: float | None = None
    slots: int = 1
    high_slots: int = 0
    held: tuple[HeldJob, ...] = ()

    def of(self, model: str) -> ModelPace | None:
        """What was measured of that model, if anything."""
        return next((found for found in self.models if found.model == model), None)
