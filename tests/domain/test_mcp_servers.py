"""Where an MCP server is and what it is told: templates, headers and what is shown of secrets."""

from typing import Any

import pytest

from eunoe.domain.mcp_servers import (
    MASK,
    HttpServer,
    StdioServer,
    filled,
    headers_of,
    masked,
    resolved,
    unmasked,
)

TEAM, RED = "{{ TEAM }}", "red"


@pytest.mark.rule("X46")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ TEAM }}", "red"),
        ("{{TEAM}}/{{ NONE | blue }}", "red/blue"),
        ("{{ NONE | 'blue' }}", "blue"),
        ('{{ NONE | "blue": }}', "blue"),
        ("{{ NONE | }}", ""),
        ("{{ TEAM | blue }}", "red"),
        ("{{ TEAM }} {{ NONE }}", "{{ TEAM }} {{ NONE }}"),
        ("{{ team }}", "{{ team }}"),
        ("{{ NESTED }}", "{{ TEAM }}"),
    ],
)
def test_a_template_is_filled_whole_or_not_at_all(text: str, expected: str) -> None:
    assert filled(text, {"TEAM": "red", "NESTED": "{{ TEAM }}"}) == expected


@pytest.mark.rule("X46", "api-16.3")
def test_every_secret_part_of_a_configuration_is_a_template() -> None:
    values = {"TEAM": "red"}
    web = HttpServer(
        kind="sse",
        url="https://{{ TEAM }}.example.com",
        auth_token=TEAM,
        custom_headers={"X": "{{ TEAM }}"},
    )
    assert resolved(web, values) == HttpServer(
        kind="sse", url="https://red.example.com", auth_token=RED, custom_headers={"X": "red"}
    )
    assert resolved(StdioServer(command="c", env={"T": "{{ TEAM }}"}), values) == StdioServer(
        command="c", env={"T": "red"}
    )


@pytest.mark.rule("X45")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"auth_token": "t"}, {"Authorization": "Bearer t"}),
        ({"auth_token": "Bearer t"}, {"Authorization": "Bearer t"}),
        ({"auth_token": "Basic t"}, {"Authorization": "Basic t"}),
        ({"auth_token": "t", "auth_header": "X-Key"}, {"X-Key": "t"}),
        (
            {"auth_token": "t", "custom_headers": {"authorization": "own", "X": "1"}},
            {"authorization": "own", "X": "1"},
        ),
    ],
)
def test_a_token_becomes_a_header_and_own_headers_win(
    given: dict[str, Any], expected: dict[str, str]
) -> None:
    server = HttpServer(kind="sse", url="https://example.com", **given)
    assert headers_of(server) == expected


@pytest.mark.rule("api-16.3")
def test_a_secret_is_shown_as_a_mask_and_a_mask_changes_nothing() -> None:
    web = HttpServer(
        kind="sse",
        url="https://example.com",
        auth_token=RED,
        custom_headers={"A": "secret", "B": "{{ TEAM }}", "C": "Bearer {{ TEAM }}"},
    )
    shown = masked(web)
    assert isinstance(shown, HttpServer)
    assert shown.auth_token == MASK
    assert shown.custom_headers == {"A": MASK, "B": "{{ TEAM }}", "C": "Bearer {{ TEAM }}"}
    assert unmasked(shown, web) == web
    run = StdioServer(command="c", env={"K": "secret"})
    assert masked(run) == StdioServer(command="c", env={"K": MASK})
    assert unmasked(StdioServer(command="c", env={"K": MASK, "L": "new"}), run) == StdioServer(
        command="c", env={"K": "secret", "L": "new"}
    )
    assert unmasked(run, web) == run
