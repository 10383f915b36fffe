"""What models are told of the built-in tools.

Written for small models too: each says when to use the tool, what comes back, and
shows a value where the form is not obvious. Names and arguments are those of the
Letta V1 API (agent 5.2 to 5.5).
"""

from typing import Final

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.tools import Tool, ToolType
from eunoe.tools.outward import OUTWARD
from eunoe.tools.parameters import listing, number, parameters, text


def builtin_tools() -> tuple[Tool, ...]:
    """Return the built-in tools with fresh ids; a stored tool of the same name keeps its own."""
    return tuple(_tool(name, *_TOOLS[name]) for name in _TOOLS)


def _tool(name: str, tool_type: ToolType, description: str, schema: Json) -> Tool:
    return Tool(
        id=ids.new("tool"),
        name=name,
        tool_type=tool_type,
        description=description,
        parameters=schema,
        tags=(tool_type,),
        parallel=name in _PARALLEL,
        idempotent=name in _IDEMPOTENT,
    )


_PARALLEL: Final = frozenset(
    {
        "archival_memory_search",
        "conversation_search",
        "fetch_webpage",
        "grep_files",
        "run_code",
        "search_memory",
        "semantic_search_files",
        "web_search",
    }
)
_IDEMPOTENT: Final = frozenset({"fetch_webpage", "web_search"})
_LABEL: Final = text("Label of the memory block, as it stands in your memory, e.g. `human`.")
_LINES: Final = "Line numbers that memory is shown with are no part of the text: leave them out."
_START: Final = "Only from this time on, in ISO 8601: `2024-01-31` or `2024-01-31T14:30`."
_END: Final = "Only up to this time, in ISO 8601; a date alone includes that whole day."

_AGENT_ID: Final = text("Id of the other agent, `agent-` and what follows.")
_TO_AGENT: Final = text("What the other agent will read: all that it needs, in plain words.")

_TOOLS: Final[dict[str, tuple[ToolType, str, Json]]] = {
    "send_message": (
        "letta_core",
        "Say something to the user. It is the only way the user hears you.",
        parameters(("message",), message=text("What the user will read.")),
    ),
    "conversation_search": (
        "letta_core",
        (
            "Look up what was said in earlier conversations, by meaning and by words. Use it when "
            "the user refers to something that you cannot see any more. Without a query it lists "
            "the latest messages that pass the filters."
        ),
        parameters(
            (),
            query=text("What to look for, in your own words; names and rare words help most."),
            roles=listing(
                "Only messages of these speakers. Leave out for all.",
                enum=["assistant", "user", "tool"],
            ),
            limit=number("How many results at most; 5 if left out."),
            start_date=text(_START),
            end_date=text(_END),
        ),
    ),
    "search_memory": (
        "letta_core",
        (
            "Look into your memory for something that the user refers to and you cannot see: what "
            "was said in a stretch of time, and what was kept for good."
        ),
        parameters(
            (),
            convo_keyword_queries=listing("Words to look for; leave out for all that was said."),
            start_minutes_ago=number("How many minutes ago the stretch begins; left out, ever."),
            end_minutes_ago=number("How many minutes ago it ends; left out, now."),
        ),
    ),
    "archival_memory_insert": (
        "letta_core",
        (
            "Keep a text in your long-term archive, where it stays until you search for it. Write "
            "it so that it is understood alone, with names and dates: a fact, a decision, a "
            "summary."
        ),
        parameters(
            ("content",),
            content=text("The text to keep."),
            tags=listing("Words to file it under, e.g. `travel`; a search can ask for them."),
        ),
    ),
    "archival_memory_search": (
        "letta_core",
        (
            "Search your long-term archive by meaning and by words. Returns the texts that fit "
            "best, each with the time it was kept and its tags."
        ),
        parameters(
            ("query",),
            query=text("What to look for, in your own words."),
            tags=listing("Only texts with these tags."),
            tag_match_mode=text(
                "Whether a text needs `any` of the tags (the default) or `all` of them.",
                enum=["any", "all"],
            ),
            top_k=number("How many results at most; 5 if left out."),
            start_datetime=text(_START),
            end_datetime=text(_END),
        ),
    ),
    "core_memory_append": (
        "letta_memory_core",
        "Add a line at the end of a memory block. Use it to note something new.",
        parameters(("label", "content"), label=_LABEL, content=text("The text to add.")),
    ),
    "core_memory_replace": (
        "letta_memory_core",
        (
            "Replace a text in a memory block, wherever it occurs. Use it to correct what has "
            "changed; an empty new text deletes the old one."
        ),
        parameters(
            ("label", "old_content", "new_content"),
            label=_LABEL,
            old_content=text("The text as it stands in the block, exactly."),
            new_content=text("The text to put in its place."),
        ),
    ),
    "memory_replace": (
        "letta_sleeptime_core",
        (
            "Replace one passage of a memory block. The old text must occur exactly once; quote "
            f"more of its surroundings if it does not. An empty new text deletes it. {_LINES}"
        ),
        parameters(
            ("label", "old_string", "new_string"),
            label=_LABEL,
            old_string=text("The text to replace, with its spaces and line breaks exactly."),
            new_string=text("The text to put in its place."),
        ),
    ),
    "memory_insert": (
        "letta_sleeptime_core",
        f"Add text to a memory block, at its end or after a given line. {_LINES}",
        parameters(
            ("label", "new_string"),
            label=_LABEL,
            new_string=text("The text to add."),
            insert_line=number(
                "Number of the line to add it after: 0 is before the first line, -1 (used when "
                "left out) is the end."
            ),
        ),
    ),
    "memory_rethink": (
        "letta_sleeptime_core",
        (
            "Write a memory block anew. Use it to condense or reorganise a whole block, and keep "
            f"everything that is still true. For a small change use `memory_replace`. {_LINES}"
        ),
        parameters(
            ("label", "new_memory"),
            label=_LABEL,
            new_memory=text("The whole new text of the block."),
        ),
    ),
    "memory_apply_patch": (
        "letta_memory_core",
        (
            "Change memory with a patch. In a patch of one block each line starts with a space "
            "(stays, quoted exactly), `-` (goes) or `+` (comes), and `@@` stands between separate "
            "places. A patch can also hold several blocks, under lines such as "
            "`*** Add Block: label`, `*** Update Block: label`, `*** Delete Block: label` and "
            "`*** Move to: new_label`; then all of it happens, or nothing."
        ),
        parameters(
            ("label", "patch"),
            label=text("Label of the block that a patch without `***` lines changes."),
            patch=text("The patch, for example ` name: Ann\\n-city: Rome\\n+city: Oslo`."),
        ),
    ),
    "memory": (
        "letta_memory_core",
        (
            "Look after your memory blocks. Commands and what they need: `view` (path, or none to "
            "list the blocks), `create` (path, description, file_text), `str_replace` (path, "
            "old_string, new_string), `insert` (path, insert_text, insert_line), `delete` (path), "
            "`rename` (old_path and new_path, or path and description for a new description). A "
            "path is `/memories/` and the label of a block."
        ),
        parameters(
            ("command",),
            command=text(
                "What to do.", enum=["view", "create", "str_replace", "insert", "delete", "rename"]
            ),
            path=text("The block, e.g. `/memories/projects`."),
            file_text=text("create: the text of the new block."),
            description=text("create, rename: what the block is for, in one sentence."),
            old_string=text("str_replace: the text to replace; it must occur exactly once."),
            new_string=text("str_replace: the text to put in its place."),
            insert_line=number("insert: after which line; 0 is the beginning, left out the end."),
            insert_text=text("insert: the text to add."),
            old_path=text("rename: the block as it is called now."),
            new_path=text("rename: what it shall be called."),
        ),
    ),
    "memory_finish_edits": (
        "letta_sleeptime_core",
        "Say that memory is up to date and nothing is left to edit. Call it last.",
        parameters(()),
    ),
    "store_memories": (
        "letta_voice_sleeptime_core",
        (
            "Store lines of the conversation for good, so that they can be found once they are "
            "out of view. Divide the lines into chunks, each on one matter."
        ),
        parameters(
            ("chunks",),
            chunks={
                "type": "array",
                "description": "The chunks to store; leave out lines that nobody will need.",
                "items": parameters(
                    ("start_index", "end_index", "context"),
                    start_index=number("Number of the first line."),
                    end_index=number("Number of the last line, which is stored too."),
                    context=text("What the lines are about and why they may matter, briefly."),
                ),
            },
        ),
    ),
    "rethink_user_memory": (
        "letta_voice_sleeptime_core",
        (
            "Write the memory block on the person anew: all that was known and is still true, "
            f"and what is new. {_LINES}"
        ),
        parameters(("new_memory",), new_memory=text("The whole new text of the block.")),
    ),
    "finish_rethinking_memory": (
        "letta_voice_sleeptime_core",
        "Say that everything is stored and the memory of the person is up to date. Call it last.",
        parameters(()),
    ),
    **OUTWARD,
    "open_files": (
        "letta_files_core",
        (
            "Open files of your folders, so that you see what is in them from your next step on. "
            "Open a stretch of lines of a large file. Opening an open file again moves what you "
            "see of it. Only so many files stay open: the ones you used least recently are closed."
        ),
        parameters(
            ("file_requests",),
            file_requests={
                "type": "array",
                "description": 'The files to open, e.g. `[{"file_name": "docs/plan.md"}]`.',
                "items": parameters(
                    ("file_name",),
                    file_name=text("Name as your directories list it, `<folder>/<file>`."),
                    offset=number("First line to see, counted from 0; 0 if left out."),
                    length=number("How many lines to see; all the rest if left out."),
                ),
            },
            close_all_others={
                "type": "boolean",
                "description": "Whether to close every other file; false if left out.",
            },
        ),
    ),
    "grep_files": (
        "letta_files_core",
        (
            "Search all your files, open or not, line by line for a regular expression. Returns 20 "
            "matches at a time, each with its file, its line number and the lines around it. Use "
            "it for names, numbers and exact words."
        ),
        parameters(
            ("pattern",),
            pattern=text("A regular expression; upper and lower case are the same."),
            include=text("Only files whose name fits this, e.g. `*.md`. Leave out for all."),
            context_lines=number("How many lines to show before and after; 1 if left out."),
            offset=number("How many matches to skip, as the last answer told; 0 if left out."),
        ),
    ),
    "semantic_search_files": (
        "letta_files_core",
        (
            "Search all your files, open or not, for what they mean. Returns the passages that fit "
            "best. Use it for questions; for exact words use `grep_files`."
        ),
        parameters(
            ("query",),
            query=text("What to look for, in your own words."),
            limit=number("How many passages at most; 5 if left out, never more than 50."),
        ),
    ),
    "send_message_to_agent_and_wait_for_reply": (
        "letta_multi_agent_core",
        (
            "Write to another agent and wait for its answer, which is the result of the call. Use "
            "it when you need to know something that the other knows, or want it to do something "
            "before you go on."
        ),
        parameters(("message", "other_agent_id"), message=_TO_AGENT, other_agent_id=_AGENT_ID),
    ),
    "send_message_to_agents_matching_tags": (
        "letta_multi_agent_core",
        (
            "Write to all agents that bear certain tags and wait for their answers, which come "
            "back as a list. An agent that failed says `<error: ...>` in its place."
        ),
        parameters(
            ("message", "match_all", "match_some"),
            message=_TO_AGENT,
            match_all=listing("Tags that an agent must all have; may be empty, e.g. `[]`."),
            match_some=listing("Tags of which an agent must have one or more; may be empty."),
        ),
    ),
    "send_message_to_agent_async": (
        "letta_multi_agent_core",
        (
            "Write to another agent without waiting for an answer. Use it to pass something on; "
            "if the other has something to say, it will write to you by itself."
        ),
        parameters(("message", "other_agent_id"), message=_TO_AGENT, other_agent_id=_AGENT_ID),
    ),
    "send_message_to_all_agents_in_group": (
        "letta_multi_agent_core",
        (
            "Write to every agent of the group that you lead and wait for their answers, which "
            "come back as a list. An agent that failed says `<error: ...>` in its place."
        ),
        parameters(("message",), message=_TO_AGENT),
    ),
}
