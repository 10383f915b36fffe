"""Where the served contract is not that of the official client, each with the reason.

The page of compatibility shows these; a test holds the document to everything else.
"""

from typing import Final

_DEVICES: Final = "501: environments are computers of a hosted service, and this server has none."
_BY_TEMPLATE: Final = "Ignored: an agent of a template is made by `templates.agents.create`."

NOT_SERVED: Final[dict[str, str]] = {
    "environments.list": _DEVICES,
    "environments.retrieve": _DEVICES,
    "environments.send_message": _DEVICES,
    "runs.trace.retrieve": "501: spans go to the collector of the operator and are not stored.",
}
"""Methods that get a typed refusal."""

LEFT_OUT: Final[dict[str, dict[str, str]]] = {
    "access_tokens.delete": {
        "body": "Ignored: the path names the token, and nothing else is asked."
    },
    "agents.create": {
        "from_template": _BY_TEMPLATE,
        "include_default_source": "Ignored: make a folder and attach it to the agent.",
        "memory_variables": _BY_TEMPLATE,
        "project": "Ignored: there is one project, which everything is in.",
        "template": "Ignored: a template is made of an agent by `templates.create`.",
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
