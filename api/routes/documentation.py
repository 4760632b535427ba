"""`/docs`: Swagger UI from this gateway alone, under a policy that lets it load nothing else."""

from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from shared.errors import NotFound

_ASSETS = {
    "favicon-32x32.png": "image/png",
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles from its script
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    )
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Tessera</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
# Swagger UI would ask a validator on the internet, too.
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", validatorUrl: null})\n'

router = APIRouter(include_in_schema=False)


@router.head("/docs")
@router.get("/docs")
async def documentation() -> Response:
    """Show the calls, to be read and tried."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.head("/docs/{name}")
@router.get("/docs/{name}")
def asset(name: str) -> Response:
    """Give one of the page's files; a script in the page itself would not be run."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise NotFound("nothing is here; see /docs")
    file = resources.files("fastapi_swagger") / "resources" / name
    return Response(file.read_bytes(), media_type=_ASSETS[name])
