"""The OpenAPI document: FastAPI's, with the bodies that routes read by themselves."""

from typing import Any

from fastapi import FastAPI

from api.body import CancelBody, JobBody

DESCRIPTION = """
Submit a prompt, get a job, watch it, fetch its pictures.

Every error is a problem (RFC 9457). Send an API key as `Authorization: Bearer tsk_...`.
"""


def install(app: FastAPI) -> None:
    """Make `app.openapi()` tell of those bodies, too."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = generate()["components"]["schemas"]
            for model in (JobBody, CancelBody):
                body = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(body.pop("$defs", {}))
                schemas[model.__name__] = body
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
