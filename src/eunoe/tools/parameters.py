"""The JSON Schemas of the built-in tools' arguments, piece by piece."""

from typing import Any

from eunoe.domain.messages import Json


def parameters(required: tuple[str, ...], **properties: dict[str, Any]) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def text(description: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON Schema values
    return {"type": "string", "description": description, **more}


def number(description: str) -> dict[str, Any]:
    return {"type": "integer", "description": description}


def listing(description: str, **items: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON Schema values
    return {"type": "array", "items": {"type": "string", **items}, "description": description}


def truth(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}
