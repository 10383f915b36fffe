"""What ChatGPT and Claude hand out of a person's conversations, read as talks."""

from datetime import UTC, datetime
from typing import Any

from eunoe.cli.chat_exports import agent_file, chatgpt_talks, claude_talks
from eunoe.domain.messages import Json


def _node(key: str, parent: str | None, *children: str, message: Json | None) -> Json:
    return {"id": key, "parent": parent, "children": list(children), "message": message}


def _chatgpt(role: str, *parts: Any, at: float | None = 1_709_654_400.25, **fields: Any) -> Json:
    return {
        "id": "m",
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "content": {"content_type": fields.pop("kind", "text"), "parts": list(parts)},
        "status": "finished_successfully",
        "weight": 1.0,
        "recipient": "all",
        "metadata": {},
        **fields,
    }


def chatgpt() -> Json:
    """Return a conversation with an edited question, a hidden message, a tool and a picture."""
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    return {
        "id": "c1",
        "title": "Postgres or not",
        "create_time": 1_709_654_400.0,
        "update_time": 1_709_658_000.0,
        "current_node": "e",
        "is_archived": False,
        "mapping": {
            "root": _node("root", None, "s", message=None),
            "s": _node("s", "root", "a", "b", message=_chatgpt("system", "Be brief.", weight=0.0)),
            "a": _node("a", "s", message=_chatgpt("user", "A first version.")),
            "b": _node(
                "b",
                "s",
                "t",
                message=_chatgpt("user", picture, "Which one?", kind="multimodal_text"),
            ),
            "t": _node("t", "b", "u", message=_chatgpt("assistant", "search()", recipient="web")),
            "u": _node("u", "t", "d", message=_chatgpt("tool", "results")),
            "d": _node(
                "d",
                "u",
                "h",
                message=_chatgpt(
                    "assistant", "Postgres.", at=None, metadata={"model_slug": "gpt-4o"}
                ),
            ),
            "h": _node(
                "h",
                "d",
                "e",
                message=_chatgpt(
                    "user", "Hidden.", metadata={"is_visually_hidden_from_conversation": True}
                ),
            ),
            "e": _node("e", "h", message=_chatgpt("user", "Thanks.", at=1_709_657_000)),
        },
    }


def claude() -> Json:
    return {
        "uuid": "u1",
        "name": "A poem",
        "created_at": "2024-03-05T16:00:00.000000Z",
        "updated_at": "2024-03-06T16:00:00.000000Z",
        "account": {"uuid": "x"},
        "chat_messages": [
            {
                "uuid": "m1",
                "sender": "human",
                "text": "Read this.",
                "content": [{"type": "text", "text": "Read this."}],
                "attachments": [{"file_name": "sea.txt", "extracted_content": "The sea."}],
                "files": [{"file_name": "sea.txt"}, {"file_name": "wave.png"}],
                "created_at": "2024-03-05T16:00:01.5Z",
            },
            {
                "uuid": "m2",
                "sender": "assistant",
                "text": "",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "tool_use", "name": "repl", "input": {}},
                    {"type": "text", "text": "It is blue."},
                    {"type": "text", "text": "And wide."},
                ],
                "created_at": "2024-03-05T16:00:09Z",
            },
            {"uuid": "m3", "sender": "human", "text": "  ", "content": []},
            {"uuid": "m4", "sender": "human", "text": "Old form.", "created_at": "not a time"},
        ],
    }


def test_a_talk_of_chatgpt_is_the_branch_that_was_shown() -> None:
    talk = chatgpt_talks(chatgpt())
    assert talk is not None
    assert (talk.title, talk.began_at) == ("Postgres or not", datetime(2024, 3, 5, 16, tzinfo=UTC))
    assert [(line.role, line.text) for line in talk.lines] == [
        ("user", "[a picture that is not in the export]\n\nWhich one?"),
        ("assistant", "Postgres."),
        ("user", "Thanks."),
    ]
    assert talk.lines[0].at.microsecond == 250_000
    assert talk.lines[1].model == "gpt-4o"
    assert talk.lines[1].at >= talk.lines[0].at


def test_a_talk_of_claude_has_its_files_and_what_was_said() -> None:
    talk = claude_talks(claude())
    assert talk is not None
    assert [(line.role, line.text) for line in talk.lines] == [
        ("user", "Read this.\n\n[The file sea.txt]\nThe sea.\n\n[The file wave.png]"),
        ("assistant", "It is blue.\n\nAnd wide."),
        ("user", "Old form."),
    ]
    assert talk.lines[2].at == talk.lines[1].at
    assert talk.ended_at == datetime(2024, 3, 6, 16, tzinfo=UTC)


def test_whatever_is_odd_is_passed_over() -> None:
    entry = chatgpt()
    entry["current_node"] = "gone"
    entry["mapping"]["root"]["parent"] = "e"
    assert chatgpt_talks(entry) is None or chatgpt_talks(entry)
    for odd in ({}, {"mapping": None}, {"mapping": {"a": 1}, "current_node": "a"}):
        assert chatgpt_talks(odd) is None
    for odd in ({"chat_messages": None}, {"chat_messages": [1, {"sender": "x"}]}):
        assert claude_talks(odd) is None


def test_an_agent_has_the_talks_oldest_first_and_the_end_of_each_before_it() -> None:
    long = claude()
    long["chat_messages"] = [
        {"sender": "human", "text": "x" * 1_000, "created_at": "2024-01-01T00:00:00Z"}
    ] * 50
    long["created_at"] = "2023-01-01T00:00:00Z"
    talks = [talk for talk in (chatgpt_talks(chatgpt()), claude_talks(long)) if talk is not None]
    extension = agent_file(talks, name="Past")["eunoe"]
    first, second = extension["conversations"]
    assert (len(first["listed"]), len(first["in_context_message_ids"])) == (50, 24)
    assert first["in_context_message_ids"] == first["listed"][-24:]
    assert second["conversation"]["summary"] == "Postgres or not"
    assert second["in_context_message_ids"] == second["listed"]
