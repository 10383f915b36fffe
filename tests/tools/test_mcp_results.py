"""What an MCP server gave, as a result: texts, pictures, structures and nonsense."""

import base64
from typing import Any

import pytest

from eunoe.domain.messages import Image, Text
from eunoe.domain.tools import ToolResult
from eunoe.tools.mcp_results import EMPTY, result_of

PNG = base64.b64encode(b"\x89PNG").decode()
PICTURE = {"type": "image", "mimeType": "image/png", "data": PNG}


@pytest.mark.rule("X54")
@pytest.mark.parametrize(
    ("given", "ok", "output"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, True, "a b"),
        ({"content": []}, True, EMPTY),
        ({}, True, EMPTY),
        ({"content": [{"type": "text", "text": "no"}], "isError": True}, False, "no"),
        ({"content": [], "structuredContent": {"n": 1}}, True, {"n": 1}),
        ({"content": [], "structuredContent": [1]}, True, "[1]"),
        ({"content": [{"type": "text", "text": "1"}], "structuredContent": {"n": 1}}, True, "1"),
        (
            {"content": [{"type": "resource_link", "name": "log", "uri": "file:///log"}]},
            True,
            "log file:///log",
        ),
        ({"content": [{"type": "resource", "resource": {"text": "in it"}}]}, True, "in it"),
        ({"content": [5, {"odd": True}, None]}, True, "5 {'odd': True} None"),
        ({"content": "nonsense", "isError": "perhaps"}, True, EMPTY),
    ],
)
def test_a_result_is_its_texts(given: dict[str, Any], ok: bool, output: Any) -> None:
    assert result_of(given) == ToolResult(ok=ok, output=output)


@pytest.mark.rule("X54")
def test_pictures_stay_pictures_within_bounds() -> None:
    image = Image(media_type="image/png", data=PNG)
    shown = result_of({"content": [{"type": "text", "text": "Look"}, PICTURE]})
    assert (shown.output, shown.parts) == ("Look", (Text(text="Look"), image))
    blob = {"type": "resource", "resource": {"mimeType": "image/png", "blob": PNG, "uri": "u"}}
    assert result_of({"content": [blob]}).parts == (image,)
    for bad in (
        {**PICTURE, "mimeType": "image/svg+xml"},
        {**PICTURE, "data": "§"},
        {**PICTURE, "data": base64.b64encode(b"<html>not found</html>").decode()},
        {**PICTURE, "data": "A" * 9_000_000},
        {"type": "audio", "mimeType": "audio/wav", "data": PNG},
    ):
        refused = result_of({"content": [bad]})
        assert refused.parts == ()
        assert len(str(refused.output)) < 200
    assert len(result_of({"content": [PICTURE] * 20}).parts) == 9
