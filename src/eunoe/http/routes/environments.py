"""Environments, which are devices of a hosted service: this server says that it has none."""

from starlette.responses import Response

from eunoe.errors import EnvironmentsNotServed
from eunoe.http.router import v1

router = v1("/environments", tag="environments")


@router.get("", operation_id="environments.listConnections")
async def list_all() -> Response:
    """List connected devices: always 501."""
    raise EnvironmentsNotServed


@router.get("/{device_id}", operation_id="environments.getConnection")
async def retrieve(device_id: str) -> Response:
    """Get a connected device: always 501."""
    raise EnvironmentsNotServed(device_id=device_id)


@router.post("/{connection_id}/messages", operation_id="environments.sendMessage")
async def send(connection_id: str) -> Response:
    """Send to a connected device: always 501."""
    raise EnvironmentsNotServed(connection_id=connection_id)
