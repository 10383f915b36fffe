"""The measurements for a Prometheus scraper, where the setting is on (streaming 8.3, ours).

Whoever may use the server may read them: with a password set they need it, as a bearer.
"""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from eunoe import telemetry
from eunoe.errors import Missing

router = APIRouter(tags=["health"])


@router.get("/metrics", operation_id="read_metrics")
async def read() -> Response:
    """Get what is measured, in Prometheus' text form; 404 while `EUNOE_METRICS` is off."""
    exposed = await asyncio.to_thread(telemetry.exposed)
    if exposed is None:
        raise Missing("Metrics are not shown here; set EUNOE_METRICS=true to show them.")
    body, media_type = exposed
    return Response(body, media_type=None, headers={"content-type": media_type})
