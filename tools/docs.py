"""Write the generated pages of docs/, or with --check say which of them are out of date.

A page is a function that returns Markdown; add it to PAGES. Hand-written pages are not this tool's.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from eunoe import errors, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.contract.callers import called_in_node, called_in_python  # noqa: E402 - found only from here on
from tests.contract.databases import cases, on_databases  # noqa: E402 - found only from here on
from tests.contract.differences import IGNORED, LEFT_OUT, NOT_SERVED  # noqa: E402 - found only from here on
from tests.contract.holders import holders  # noqa: E402 - found only from here on
from tests.contract.official import methods  # noqa: E402 - found only from here on
from tests.contract.requirements import AREAS, order  # noqa: E402 - found only from here on
from tests.contract.rules.untested import UNTESTED  # noqa: E402 - found only from here on
from tests.contract.served import key, operations  # noqa: E402 - found only from here on

DOCS = ROOT / "docs"
NOTE = "<!-- Written by `make docs`; change what it is made from instead. -->"
_AREA_TITLES: Mapping[str, str] = {
    "agent": "The agent",
    "api": "The API",
    "fixes": "Faults that are put right",
    "models": "Models and tools",
    "streaming": "Streams, runs and guarantees",
}
_TITLE = re.compile(r"^# (?P<number>\d{4}) (?P<title>.+)$", re.MULTILINE)
_STATUS = re.compile(r"^Status: (?P<status>.+)$", re.MULTILINE)


def compatibility() -> str:
    """Return the tables of the official clients' methods, and of the routes beside them."""
    routes = {one.name: key(one.verb, one.path) for one in methods()}
    in_python, in_node = called_in_python(), called_in_node()
    rows = [
        f"| `{one.name}` | `{one.verb} {one.path}` "
        f"| {_yes_no(routes[one.name] in operations() and one.name not in NOT_SERVED)} "
        f"| {_yes_no(one.name in in_python)} | {_yes_no(one.name in in_node)} "
        f"| {_cell(_differences(one.name))} |"
        for one in methods()
    ]
    more = [
        f"| `{one.route}` | `{one.operation_id}` |"
        for one in sorted(operations().values(), key=lambda one: one.route.split(" ")[::-1])
        if key(*one.route.split(" ")) not in routes.values()
    ]
    intro = (
        f"The server speaks the Letta V1 API: the official clients {_versions()} work unchanged "
        "when their base URL is that of the server. "
        f"They have {len(routes)} methods, of which {len(routes.keys() - NOT_SERVED.keys())} are "
        "served; the others are refused with an error that says why. Methods are named as in "
        "Python; in JavaScript they are in camel case. `Python` and `JavaScript` say whether the "
        "tests call the method with that client. Whatever the Python client sends or reads and "
        "the API document does not have is under `Differences`."
    )
    table = "| Method | Route | Served | Python | JavaScript | Differences |\n"
    parts = [
        intro,
        table + "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows),
        "## Routes beside the clients' methods",
        "The clients have no methods for these; they are asked for by their path.",
        "| Route | `operationId` |\n| --- | --- |\n" + "\n".join(more),
    ]
    return _page("Compatibility", "\n\n".join(parts))


def _versions() -> str:
    """Return the clients with the versions that the tests run, as they are pinned."""
    lock = json.loads((ROOT / "tests" / "node" / "package-lock.json").read_text(encoding="utf-8"))
    node = lock["packages"]["node_modules/@letta-ai/letta-client"]["version"]
    python = metadata.version("letta-client")
    return f"for Python (`letta-client` {python}) and JavaScript (`@letta-ai/letta-client` {node})"


def _differences(method: str) -> str:
    by_reason: dict[str, list[str]] = {}
    for name, reason in (LEFT_OUT.get(method, {}) | IGNORED.get(method, {})).items():
        by_reason.setdefault(reason, []).append(f"`{name}`")
    told = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    return " ".join([NOT_SERVED[method], *told] if method in NOT_SERVED else told)


def decisions() -> str:
    """Return the index of the ADRs; exit when one lacks its title line or its status line."""
    rows: list[str] = []
    for path in sorted((DOCS / "adr").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title, status = _TITLE.search(text), _STATUS.search(text)
        if title is None or status is None or not path.name.startswith(f"{title['number']}-"):
            lines = f"`# {path.name[:4]} Title` and `Status: …`"
            sys.exit(f"{path.relative_to(ROOT)} needs the lines {lines}")
        rows.append(f"| [{title['number']}]({path.name}) | {title['title']} | {status['status']} |")
    return _page("Decisions", "| | Decision | Status |\n| --- | --- | --- |\n" + "\n".join(rows))


def error_codes() -> str:
    """Return the table of the error codes, grouped by what they derive from."""
    rows = [
        f"| `{error.code}` | {error.kind} | {_yes_no(error.heals)} | {_first_line(error)} |"
        for error in _descendants(errors.EunoeError)
        if "code" in vars(error)
    ]
    head = "| `code` | Kind | Retry may help | Meaning |\n| --- | --- | --- | --- |\n"
    promise = "A `code` never changes its meaning; messages may.\n\n"
    return _page("Error codes", promise + head + "\n".join(rows))


def setting_variables() -> str:
    """Return the tables of the environment variables: ours, their aliases, the providers'."""
    ours = "| Variable | Default | Meaning |\n| --- | --- | --- |\n" + "\n".join(
        f"| `{name}` | {default} | {meaning} |" for name, default, meaning in settings.reference()
    )
    aliases = "| Variable | Stands for |\n| --- | --- |\n" + "\n".join(
        f"| `{alias}` | `{name}`, when that is not set |"
        for alias, name in settings.ALIASES.items()
    )
    providers = "| Variable | Meaning |\n| --- | --- |\n" + "\n".join(
        f"| `{name}` | {meaning} |" for name, meaning in settings.PROVIDER_VARIABLES.items()
    )
    intro = (
        "Variables of the environment, or lines of a file `.env` in the folder the server is "
        "started in; the environment wins. An unknown `EUNOE_…` variable stops the server."
    )
    parts = [
        intro,
        ours,
        "## Other names",
        aliases,
        "## Providers",
        "Where none makes models available, the local one is used. The last ones are for tools.",
        providers,
    ]
    return _page("Settings", "\n\n".join(parts))


def rules() -> str:
    """Return the table of the rules: each with its sentence and the tests that hold it."""
    by_rule = holders()
    intro = (
        f"What the server is held to: {sum(map(len, AREAS.values()))} rules, each with the tests "
        "that name it. The ids are those of the specification: `api-8.4` and the like are its "
        "sections, all others are single rules. At the end stand the rules that no test names, "
        "with the reason."
    )
    parts = [intro]
    for area, sentences in AREAS.items():
        rows = [
            f"| {rule} | {_cell(sentence)} | {'<br>'.join(_tests(by_rule.get(rule, [])))} |"
            for rule, sentence in sorted(sentences.items(), key=lambda item: order(item[0]))
        ]
        head = "| Rule | What holds | Tests |\n| --- | --- | --- |\n"
        parts += [f"## {_AREA_TITLES.get(area, area.capitalize())}", head + "\n".join(rows)]
    reasons = [f"| {rule} | {_cell(reason)} |" for rule, reason in UNTESTED.items()]
    parts += ["## Without a test", "| Rule | Why |\n| --- | --- |\n" + "\n".join(reasons)]
    return _page("Rules", "\n\n".join(parts))


def guarantees() -> str:
    """Return the guarantees, each with what proves it, where, and how often it is tried."""
    by_rule = holders()
    intro = (
        "What the server promises whatever happens to it, its clients, its providers and its "
        "database. Each promise stands with the tests that hold the server to it. `both` says that "
        "a test runs on SQLite and again on PostgreSQL, `-` that it needs no database. The test of "
        "faults kills, stops, pauses and cuts servers off while agents are at chosen places of "
        "their turns, through all entrances: the numbers say how many cases it tries by default, "
        "and how many in `make chaos`. It prints the seed of each, which repeats it."
    )
    parts = [intro]
    for rule, sentence in sorted(AREAS["streaming"].items(), key=lambda item: order(item[0])):
        if rule.startswith("G-"):
            rows = [_proof(place) for place in by_rule.get(rule, [])]
            head = "| Test | Databases | Cases | In `make chaos` |\n| --- | --- | --- | --- |\n"
            parts += [f"## {rule}", sentence, head + "\n".join(rows)]
    return _page("Guarantees", "\n\n".join(parts))


def _proof(place: str) -> str:
    tried = cases(place)
    default, often = ("-", "-") if tried is None else map(str, tried)
    where = "both" if on_databases(place) else "-"
    return f"| {_tests([place])[0]} | {where} | {default} | {often} |"


def _tests(places: list[str]) -> list[str]:
    return [f"`{place.removeprefix('tests/')}`" for place in places]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


PAGES: Mapping[str, Callable[[], str]] = {
    "adr/README.md": decisions,
    "compatibility.md": compatibility,
    "guarantees.md": guarantees,
    "reference/errors.md": error_codes,
    "reference/rules.md": rules,
    "reference/settings.md": setting_variables,
}


def _descendants(error: type[errors.EunoeError]) -> Iterator[type[errors.EunoeError]]:
    yield error
    for child in error.__subclasses__():
        yield from _descendants(child)


def _first_line(thing: type) -> str:
    return (thing.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ").replace("|", r"\|")


def _yes_no(answer: bool) -> str:
    return "yes" if answer else "no"


def _page(title: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\n{body}\n"


def _stale(pages: Mapping[Path, str]) -> list[Path]:
    return [
        path
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Exit 0 when every page is (now) current, 1 when --check found one that is not."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: docs.py [--check]\n")
        return 2
    pages = {DOCS / name: page() for name, page in PAGES.items()}
    stale = _stale(pages)
    if arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date; run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
