"""The worker's pace: how long its ticks, pictures and loads take, measured while it works."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.cost import PIXELS
from shared.pace import HeldJob, ModelPace, SizePace, WorkerPace
from worker.engine.engine import TickReport

# The weight of a new measurement: a change of pace is known after some twenty ticks or pictures.
NEW_SHARE = 0.1

# Device time after which older work counts half in the mixture of sizes and in the speed.
HALF_LIFE_SECONDS = 60.0


@dataclass
class _Mean:
    """A mean that forgets."""

    value: float | None = None

    def add(self, value: float) -> None:
        old = value if self.value is None else self.value
        self.value = old + NEW_SHARE * (value - old)


@dataclass
class _Size:
    ticks: defaultdict[int, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    served_seconds: float = 0.0


@dataclass
class _Model:
    """Measurements of one model; `cell_pixels` is what a place of its latent stands for."""

    max_rows: int
    cell_pixels: int
    load_seconds: float
    sizes: defaultdict[int, _Size] = field(default_factory=lambda: defaultdict(_Size))
    prepare: _Mean = field(default_factory=_Mean)
    picture: _Mean = field(default_factory=_Mean)


class Pacer:
    """Measures. Engine and job threads report; the pulse reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}
        self._served_seconds = 0.0
        self._crowded_seconds = 0.0
        self._crowded_cost = 0.0

    def loaded(
        self,
        model: str,
        *,
        max_rows: int,
        cell_pixels: int,
        pixels: int,
        tick_seconds: Mapping[int, float],
        load_seconds: float,
    ) -> None:
        """A model was loaded and warmed up, its ticks timed with pictures of `pixels`."""
        with self._lock:
            measured = self._models[model] = _Model(max_rows, cell_pixels, load_seconds)
            size = measured.sizes[pixels]
            size.served_seconds = sum(tick_seconds.values())
            for rows, seconds in tick_seconds.items():
                size.ticks[rows].add(seconds)

    def tick(self, report: TickReport) -> None:
        """A tick of the engine has ended; those of a model that still warms up do not count."""
        with self._lock:
            model = self._models.get(report.model)
            if model is None:
                return
            pixels = report.latent_area * model.cell_pixels
            size = model.sizes[pixels]
            size.ticks[report.padded_rows].add(report.seconds)
            size.served_seconds += report.seconds
            if report.crowded:
                self._crowded_seconds += report.seconds
                self._crowded_cost += report.rows * pixels / PIXELS
            self._served_seconds += report.seconds
            if self._served_seconds > HALF_LIFE_SECONDS:
                self._forget_half()

    def prepared(self, model: str, seconds: float) -> None:
        """A job's samples were ready for the engine so long after its claim."""
        with self._lock:
            self._models[model].prepare.add(seconds)

    def stored(self, model: str, seconds: float) -> None:
        """A picture was stored so long after its last tick."""
        with self._lock:
            self._models[model].picture.add(seconds)

    def pace(self, slots: int, high_slots: int, held: Sequence[HeldJob]) -> WorkerPace:
        """What was measured, with what the worker holds now."""
        with self._lock:
            speed = self._crowded_cost / self._crowded_seconds if self._crowded_seconds else None
            return WorkerPace(
                models=tuple(_told(name, model) for name, model in self._models.items()),
                crowded_speed=speed,
                slots=slots,
                high_slots=high_slots,
                held=tuple(held),
            )

    def _forget_half(self) -> None:
        self._served_seconds /= 2
        self._crowded_seconds /= 2
        self._crowded_cost /= 2
        for model in self._models.values():
            for size in model.sizes.values():
                size.served_seconds /= 2


def _told(name: str, model: _Model) -> ModelPace:
    return ModelPace(
        model=name,
        max_rows=model.max_rows,
        sizes=tuple(
            SizePace(
                pixels=pixels,
                tick_seconds={
                    rows: mean.value for rows, mean in size.ticks.items() if mean.value is not None
                },
                served_seconds=size.served_seconds,
            )
            for pixels, size in model.sizes.items()
        ),
        prepare_seconds=model.prepare.value or 0.0,
        picture_seconds=model.picture.value or 0.0,
        load_seconds=model.load_seconds,
    )
