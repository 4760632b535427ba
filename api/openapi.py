"""The OpenAPI document: FastAPI's, with API keys and the bodies that routes read by themselves."""

from typing import Any

from fastapi import FastAPI

from api.body import CancelBody, EndpointBody, JobBody
from api.problems import Problem

DESCRIPTION = """
Submit a prompt, get a job, watch it, fetch its pictures.

Every error is a problem (RFC 9457). Send an API key as `Authorization: Bearer tsk_...`.
"""


def install(app: FastAPI) -> None:
    """Complete what `app.openapi()` tells."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = generate()
            schemas = found["components"]["schemas"]
            for model in (JobBody, CancelBody, EndpointBody, Problem):
                body = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(body.pop("$defs", {}))
                schemas[model.__name__] = body
            found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{"key": []}]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
