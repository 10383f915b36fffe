"""The guarantees that only show over HTTP: repeats, rivals, readers that leave (streaming 10.2)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from letta_client import Letta
from letta_client.types import AgentState

from eunoe.ids import is_id
from tests.contract.conftest import MakeAgent
from tests.contract.reading import assert_whole, content_of, frames
from tests.fixtures.servers import Server

RIVALS = 12


def messages_of(agent: AgentState, rest: str = "") -> str:
    return f"/v1/agents/{agent.id}/messages{rest}"


def users_said(letta: Letta, agent: AgentState) -> list[str]:
    listed = letta.agents.messages.list(agent.id, limit=500).items
    return [content_of(part) for part in listed if part.message_type == "user_message"]


@pytest.mark.rule("G-12", "G-3", "streaming-9.2", "api-1.7", "api-8.4")
def test_rivals_for_one_agent_are_served_or_refused_before_any_effect(
    letta: Letta, http: httpx.Client, agent: AgentState
) -> None:
    entrances: list[tuple[str, dict[str, Any]]] = [
        ("", {}),
        ("", {"streaming": True}),
        ("/stream", {"stream_tokens": True}),
        ("/async", {}),
    ]

    def send(number: int) -> httpx.Response:
        rest, fields = entrances[number % len(entrances)]
        body = {"input": f"SLOW 2 I am rival {number}.", **fields}
        return http.post(messages_of(agent, rest), json=body)

    with ThreadPoolExecutor(RIVALS) as pool:
        answers = list(pool.map(send, range(RIVALS)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    accepted = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    for refused in (answer for answer in answers if answer.status_code == 409):
        assert refused.headers["x-should-retry"] == "false"
        assert is_id("run", refused.json()["run_id"])
        assert refused.json()["detail"].startswith("CONFLICT: ")
    for run in letta.runs.list(agent_id=agent.id):
        letta.post(f"/v1/runs/{run.id}/stream", body={}, cast_to=str)
        assert letta.runs.retrieve(run.id).status == "completed"
    expected = {f"SLOW 2 I am rival {n}." for n in accepted}
    said = users_said(letta, agent)
    assert (set(said), len(said)) == (expected, len(accepted))
    context = http.get(f"/v1/agents/{agent.id}/context").json()
    assert context["num_messages"] == 1 + 2 * len(accepted)


@pytest.mark.rule("G-12")
def test_agents_do_not_wait_for_each_other(http: httpx.Client, make_agent: MakeAgent) -> None:
    agents = [make_agent() for _ in range(6)]

    def send(one: AgentState) -> httpx.Response:
        return http.post(messages_of(one), json={"input": "SLOW 10 hi"})

    with ThreadPoolExecutor(len(agents)) as pool:
        answers = list(pool.map(send, agents))
    assert [answer.status_code for answer in answers] == [200] * len(agents)


@pytest.mark.rule("G-6", "streaming-1.11")
@pytest.mark.parametrize("rest", ["", "/async"])
def test_the_clients_own_retries_are_one_run(
    letta: Letta, http: httpx.Client, agent: AgentState, rest: str
) -> None:
    def send(count: int) -> httpx.Response:
        headers = {"x-stainless-retry-count": str(count)}
        body = {"input": "SLOW 20 Only once."}
        return http.post(messages_of(agent, rest), json=body, headers=headers)

    first = send(0)
    with ThreadPoolExecutor(2) as pool:
        answers = [first, *pool.map(send, (1, 2))]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(letta.runs.list(agent_id=agent.id).items) == 1
    if not rest:
        assert len({answer.text for answer in answers}) == 1
        assert users_said(letta, agent) == ["SLOW 20 Only once."]
        assert send(0).status_code == 200
        assert len(letta.runs.list(agent_id=agent.id).items) == 2


@pytest.mark.rule("G-6", "G-7", "streaming-2.17")
def test_a_client_that_gave_up_finds_its_answer(
    letta: Letta, http: httpx.Client, agent: AgentState
) -> None:
    body = {"input": "SLOW 300 SAY patience is a virtue"}
    with pytest.raises(httpx.ReadTimeout):
        http.post(messages_of(agent), json=body, timeout=0.2)
    headers = {"x-stainless-retry-count": "1"}
    answer = http.post(messages_of(agent), json=body, headers=headers)
    assert [content_of_json(part) for part in answer.json()["messages"]] == ["patience is a virtue"]
    assert len(letta.runs.list(agent_id=agent.id).items) == 1


def content_of_json(part: dict[str, Any]) -> str:
    return part["content"]


@pytest.mark.rule("G-5", "streaming-1.10")
def test_the_same_otids_are_the_same_request(
    letta: Letta, http: httpx.Client, agent: AgentState, tag: str
) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello.", "otid": tag}]}
    first = http.post(messages_of(agent), json=body)
    second = http.post(messages_of(agent), json=body)
    assert first.text == second.text
    stream = http.post(messages_of(agent), json={**body, "streaming": True, "background": True})
    assert_whole(frames(stream.text))
    asynchronous = http.post(messages_of(agent, "/async"), json=body)
    (run,) = letta.runs.list(agent_id=agent.id).items
    assert asynchronous.json()["id"] == run.id
    assert users_said(letta, agent) == ["Hello."]


@pytest.mark.rule("G-7", "G-3", "streaming-2.17")
def test_a_reader_that_leaves_changes_nothing(
    letta: Letta, http: httpx.Client, agent: AgentState
) -> None:
    body = {"input": "SLOW 10 SAY to the very end", "streaming": True, "stream_tokens": True}
    with http.stream("POST", messages_of(agent), json=body) as stream:
        run_id = stream.headers["x-letta-run-id"]
        assert next(stream.iter_lines()).startswith("data: ")
    followed = http.post(f"/v1/runs/{run_id}/stream", json={})
    assert_whole(frames(followed.text))
    assert letta.runs.retrieve(run_id).status == "completed"
    listed = letta.agents.messages.list(agent.id).items
    assert [content_of(part) for part in listed[1:]] == [body["input"], "to the very end"]


@pytest.mark.rule("G-8", "G-10", "streaming-2.15", "streaming-2.1", "streaming-2.3")
@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("hello", "completed"),
        ("STEPS 2", "completed"),
        ("FAIL 401", "failed"),
        ("SLOW 1 EOF 3", "failed"),
        ("SLOW 1 DROP 3", "failed"),
    ],
)
def test_every_stream_ends_as_it_should_and_its_run_is_over(
    letta: Letta, http: httpx.Client, agent: AgentState, script: str, status: str
) -> None:
    body = {"input": script, "streaming": True, "stream_tokens": True}
    live = http.post(messages_of(agent), json=body)
    run_id = live.headers["x-letta-run-id"]
    assert live.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert live.headers["cache-control"] == "no-cache"
    assert http.get(f"/v1/runs/{run_id}").json()["status"] == status
    assert http.post(messages_of(agent), json={"input": "next"}).status_code == 200
    again = http.post(f"/v1/runs/{run_id}/stream", json={})
    assert_whole(frames(live.text))
    assert frames(again.text) == frames(live.text)
    assert letta.runs.retrieve(run_id).status == status


def cut_after_every_event(
    http: httpx.Client, path: str, body: dict[str, Any]
) -> tuple[str, list[bytes]]:
    """Read a stream over as many connections as it has places; return its run and its bytes."""
    told: list[bytes] = []
    while True:
        with http.stream("POST", path, json=body) as stream:
            run_id = stream.headers["x-letta-run-id"]
            buffer = b""
            for data in stream.iter_raw():
                buffer += data
                first, end, _ = buffer.partition(b"\n\n")
                if end and b'"seq_id"' in first:
                    break  # Whatever came with it is lost.
            else:
                return run_id, [*told, *buffer.split(b"\n\n")]
        told.append(first)
        place = orjson.loads(first.removeprefix(b"data: "))["seq_id"]
        path, body = f"/v1/runs/{run_id}/stream", {"starting_after": place}


@pytest.mark.rule("G-4", "G-7", "streaming-4.6")
@pytest.mark.parametrize("agent_type", ["letta_v1_agent", "memgpt_v2_agent"])
@pytest.mark.parametrize(
    "mode", [{}, {"stream_tokens": True}, {"stream_tokens": True, "background": True}]
)
def test_a_stream_that_is_cut_after_every_event_is_the_same_stream(
    http: httpx.Client, make_agent: MakeAgent, agent_type: str, mode: dict[str, bool]
) -> None:
    agent = make_agent(agent_type=agent_type, memory_blocks=[{"label": "human", "value": "Ada"}])
    text = 'SLOW 1 THINK of tea CALL memory_insert {"label": "human", "new_str": "tea"}'
    body = {"input": text, "streaming": True, **mode}
    run_id, pieces = cut_after_every_event(http, messages_of(agent), body)
    url = f"/v1/runs/{run_id}/stream"
    whole = http.post(url, json={}).content
    assert pieces == whole.split(b"\n\n")
    assert_whole(frames(whole.decode()))
    kinds = {one.data.get("message_type") for one in frames(whole.decode())[:-1]}
    assert {"reasoning_message", "tool_call_message", "tool_return_message"} < kinds
    places = [one.data.get("seq_id") for one in frames(whole.decode())[:-1]]
    for number, place in enumerate(places):
        if place is not None:
            rest = http.post(url, json={"starting_after": place}).content
            assert rest.split(b"\n\n") == pieces[number + 1 :]
    assert http.post(url, json={"starting_after": 9_999}).content == b"data: [DONE]\n\n"


@pytest.mark.rule("G-3", "G-14", "streaming-2.17")
def test_an_agent_deleted_in_mid_run_ends_it_and_harms_nobody(
    http: httpx.Client, make_agent: MakeAgent, server: Server
) -> None:
    agent, other = make_agent(), make_agent()
    body = {"input": "SLOW 30 hello", "streaming": True, "stream_tokens": True}
    with http.stream("POST", messages_of(agent), json=body) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data: ")
        assert http.delete(f"/v1/agents/{agent.id}").status_code == 200
        rest = list(lines)
    assert rest[-2:] == ["data: [DONE]", ""]
    for url in (f"/v1/agents/{agent.id}", messages_of(agent)):
        assert http.get(url).status_code == 404
    assert http.post(messages_of(other), json={"input": "hi"}).status_code == 200
    assert server.faults() == []
