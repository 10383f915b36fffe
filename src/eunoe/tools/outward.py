"""What models are told of the built-in tools that run code and reach the web (agent 7.7)."""

from typing import Final

from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolType
from eunoe.tools.parameters import listing, number, parameters, text, truth
from eunoe.tools.web_search import CATEGORIES

OUTWARD: Final[dict[str, tuple[ToolType, str, Json]]] = {
    "run_code": (
        "letta_builtin",
        (
            "Run a piece of Python and get back what it printed and the value of its last line. "
            "Use it to calculate, to count, to sort or to work through data. Nothing is kept from "
            "one call to the next."
        ),
        parameters(
            ("code", "language"),
            code=text("The code, e.g. `sum(range(10))`."),
            language=text("The language of the code.", enum=["python", "js", "ts", "r", "java"]),
        ),
    ),
    "run_code_with_tools": (
        "letta_builtin",
        (
            "Run a piece of Python that calls your other tools as functions, by their names and "
            'with their arguments: `page = fetch_webpage(url="…")`. You get back what it printed '
            "and the value of its last line, and see nothing else of what the tools returned. Use "
            "it to call tools many times, or to work on what they return. A tool that fails "
            "raises `ToolError`. Tools that wait for approval or edit memory cannot be called so."
        ),
        parameters(("code",), code=text('The code, e.g. `len(fetch_webpage(url="…"))`.')),
    ),
    "web_search": (
        "letta_builtin",
        (
            "Search the web. You get back titles, addresses and the passages that fit; read a "
            "page that looks right with `fetch_webpage`. Use it for what is new, or unknown to you."
        ),
        parameters(
            ("query",),
            query=text("What to look for, as a sentence or in words."),
            num_results=number("How many results, 1 to 100; 10 if left out."),
            category=text("Only results of this kind. Leave out for all.", enum=list(CATEGORIES)),
            include_text=truth("Whether to get the text of the pages too; false if left out."),
            include_domains=listing("Only results of these domains, e.g. `wikipedia.org`."),
            exclude_domains=listing("No results of these domains."),
            start_published_date=text("Only what was published from this day on: `2024-01-31`."),
            end_published_date=text("Only what was published up to this day: `2024-12-31`."),
            user_location=text("Country of who is asking, in two letters, e.g. `IT`."),
        ),
    ),
    "fetch_webpage": (
        "letta_builtin",
        (
            "Read a page of the web: its text as markdown, without menus and scripts. It reads "
            "PDFs, plain text and JSON too."
        ),
        parameters(("url",), url=text("Address of the page, with http:// or https:// before it.")),
    ),
}
