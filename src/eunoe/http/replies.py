"""Answers as bytes, encoded once."""

import json
from collections.abc import Mapping
from typing import Final

import orjson
from starlette.responses import Response

_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def encoded(value: object) -> bytes:
    """Return `value` as compact JSON; lone surrogates are dropped rather than failing (api 1.6)."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        return text.encode("utf-8", "ignore")


class JsonReply(Response):
    """A JSON answer that no response model looks at again."""

    media_type = "application/json"

    def __init__(
        self, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encoded(value), status_code=status, headers=headers)
