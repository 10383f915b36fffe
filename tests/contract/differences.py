"""Where the served contract is not that of the official client, each with the reason.

The page of compatibility shows these; a test holds the document to everything else.
"""

from typing import Final

_DEVICES: Final = "501: environments are computers of a hosted service, and this server has none."
_PUSHED: Final[dict[str, str]] = dict.fromkeys(
    ("batch_size", "poll_interval"),
    "Ignored: what is said is pushed as it comes, and nothing is polled.",
)
_THOUGHTS: Final[dict[str, str]] = {
    "enable_thinking": "Ignored: whether a model thinks is said by its settings."
}

NOT_SERVED: Final[dict[str, str]] = {
    "environments.list": _DEVICES,
    "environments.retrieve": _DEVICES,
    "environments.send_message": _DEVICES,
}
"""Methods that get a typed refusal."""

LEFT_OUT: Final[dict[str, dict[str, str]]] = {
    "access_tokens.delete": {
        "body": "Ignored: the path names the token, and nothing else is asked."
    },
    "steps.trace.retrieve": dict.fromkeys(
        (
            "agent_tags",
            "billing_context",
            "compaction_settings",
            "created_by_id",
            "last_updated_by_id",
            "llm_config",
            "source",
            "updated_at",
        ),
        "Left out: a trace holds the call itself, and the step and the agent say the rest.",
    ),
}
"""Parameters and fields of answers that the document leaves out, by method."""

IGNORED: Final[dict[str, dict[str, str]]] = {
    "agents.create": {"project": "Ignored: there is one project, which everything is in."},
    "agents.messages.create": _THOUGHTS,
    "agents.messages.create_async": _THOUGHTS,
    "agents.messages.stream": _THOUGHTS,
    "conversations.messages.create": _THOUGHTS,
    "conversations.messages.stream": _PUSHED,
    "runs.messages.stream": _PUSHED,
}
"""Parameters that are taken and change nothing, by method."""
