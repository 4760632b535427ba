"""What can be asked for: models and samplers."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import AnyCaller
from api.documented import MODEL_RESPONSES, SAMPLER_RESPONSES
from api.routes.answers import json_response
from api.services import Context
from api.wire import HolderAnswer, ListAnswer, ModelAnswer, SamplerAnswer
from shared.catalog import ModelEntry
from shared.samplers import SAMPLERS, sampler_aliases
from shared.store.workers import WorkerRecord

router = APIRouter(prefix="/v1", tags=["catalog"])


@router.head("/models", include_in_schema=False)
@router.get("/models", response_model=ListAnswer[ModelAnswer], responses=MODEL_RESPONSES)
def list_models(_: AnyCaller, context: Context) -> Response:
    """List the models: their limits, defaults and names, and who holds them warm."""
    workers = context.surroundings.workers
    default = context.catalog.default
    data = tuple(_model(entry, default, workers) for entry in context.catalog.models)
    return json_response(ListAnswer[ModelAnswer](data=data))


@router.head("/samplers", include_in_schema=False)
@router.get("/samplers", response_model=ListAnswer[SamplerAnswer], responses=SAMPLER_RESPONSES)
def list_samplers(_: AnyCaller) -> Response:
    """List the samplers, their other names, their schedules and the steps that they take."""
    data = tuple(
        SamplerAnswer(**sampler.model_dump(), aliases=sampler_aliases(sampler))
        for sampler in SAMPLERS.values()
    )
    return json_response(ListAnswer[SamplerAnswer](data=data))


def _model(entry: ModelEntry, default: str, workers: Sequence[WorkerRecord]) -> ModelAnswer:
    holders = [worker.held[entry.id] for worker in workers if entry.id in worker.held]
    return ModelAnswer(
        id=entry.id,
        title=entry.title,
        family=entry.family,
        loaded=any(entry.id in worker.models for worker in workers),
        default=entry.id == default,
        defaults=entry.defaults,
        limits=entry.limits,
        controls=tuple(control.type for control in entry.controls),
        loras=tuple(lora.name for lora in entry.loras),
        embeddings=tuple(embedding.name for embedding in entry.embeddings),
        workers=tuple(
            HolderAnswer(
                bytes=held.bytes,
                max_rows=held.max_rows,
                tick_seconds=held.tick_seconds,
                attention=held.attention,
                attention_shapes=held.attention_shapes,
                forms=held.forms,
                float8=held.float8,
                image_seconds=held.image_seconds,
            )
            for held in holders
        ),
    )
