"""What a docstring says, in the Google, NumPy or reST form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from docstring_parser import Docstring

_SECTION: Final = re.compile(r"\s*[A-Z]\w+:[ \t]*\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docs:
    """`text` is what a model is told of the whole: summary, explanation and examples."""

    short: str | None = None
    text: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, argument: str) -> str | None:
        return self.arguments.get(argument)


def read_docs(docstring: str | None) -> Docs:
    """Return what `docstring` says; one in no known form is all explanation (X18)."""
    if not docstring or not docstring.strip():
        return Docs()
    from docstring_parser import ParseError, parse  # noqa: PLC0415 - slow to import, rarely needed

    # The parser takes a section at the very beginning for prose.
    bare = _SECTION.match(docstring) is not None
    try:
        found = parse(f"_\n\n{docstring.strip()}" if bare else docstring)
    except ParseError:
        return Docs(short=docstring.strip(), text=docstring.strip())
    short = None if bare else found.short_description
    parts = [short, found.long_description, _examples(found)]
    return Docs(
        short=short,
        text="\n\n".join(part for part in parts if part) or None,
        # A star is how some write the name of an argument that takes many.
        arguments={
            one.arg_name.lstrip("*"): one.description for one in found.params if one.description
        },
    )


def _examples(found: "Docstring") -> str | None:
    texts = ["\n".join(filter(None, (one.snippet, one.description))) for one in found.examples]
    return "Examples:\n" + "\n".join(texts) if any(texts) else None
