"""The OpenAPI document: FastAPI's, with the body that the submit route reads by itself."""

from typing import Any

from fastapi import FastAPI

from api.body import JobBody

DESCRIPTION = """
Submit a prompt, get a job, watch it, fetch its pictures.

Every error is a problem (RFC 9457). Send an API key as `Authorization: Bearer tsk_...`.
"""


def install(app: FastAPI) -> None:
    """Make `app.openapi()` tell of JobBody, too."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = generate()["components"]["schemas"]
            body = JobBody.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(body.pop("$defs"))
            schemas[JobBody.__name__] = body
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
