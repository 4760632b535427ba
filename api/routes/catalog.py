"""What can be asked for: models and samplers."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import CurrentCaller
from api.examples import MODEL_RESPONSES, SAMPLER_RESPONSES
from api.routes.answers import json_response
from api.services import Context
from api.wire import ListAnswer, ModelAnswer, SamplerAnswer
from shared.samplers import SAMPLERS, sampler_aliases

router = APIRouter(prefix="/v1", tags=["catalog"])


@router.get("/models", response_model=ListAnswer[ModelAnswer], responses=MODEL_RESPONSES)
def list_models(_: CurrentCaller, context: Context) -> Response:
    """List the models with their limits and defaults, and whether a worker holds them warm."""
    loaded = context.surroundings.models
    data = tuple(
        ModelAnswer(
            id=entry.id,
            title=entry.title,
            family=entry.family,
            loaded=entry.id in loaded,
            default=entry.id == context.catalog.default,
            defaults=entry.defaults,
            limits=entry.limits,
        )
        for entry in context.catalog.models
    )
    return json_response(ListAnswer[ModelAnswer](data=data))


@router.get("/samplers", response_model=ListAnswer[SamplerAnswer], responses=SAMPLER_RESPONSES)
def list_samplers(_: CurrentCaller) -> Response:
    """List the samplers, their other names, their schedules and the steps that they take."""
    data = tuple(
        SamplerAnswer(**sampler.model_dump(), aliases=sampler_aliases(sampler))
        for sampler in SAMPLERS.values()
    )
    return json_response(ListAnswer[SamplerAnswer](data=data))
