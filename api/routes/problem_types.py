"""`GET /problems/{code}`: what the `type` of a problem leads to."""

from fastapi import APIRouter

from api.documented import PROBLEM_RESPONSES, PUBLIC
from api.wire import ProblemMeaning
from shared.errors import NotFound, TesseraError

router = APIRouter(tags=["problems"])


def _tree(root: type[TesseraError]) -> dict[str, type[TesseraError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        # A class without a code of its own must not take its parent's place.
        found = _tree(child) | found
    return found


@router.head("/problems/{code}", include_in_schema=False)
@router.get("/problems/{code}", responses=PROBLEM_RESPONSES, openapi_extra=PUBLIC)
async def get_problem(code: str) -> ProblemMeaning:
    """Tell what a problem's code means, and whether the same request may work later."""
    error = _tree(TesseraError).get(code)
    if error is None:
        raise NotFound("no such problem")
    meaning = (error.__doc__ or "").strip()
    return ProblemMeaning(
        code=code, status=error.status, retryable=error.retryable, meaning=meaning
    )
