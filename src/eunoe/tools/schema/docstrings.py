"""What a docstring says, in the Google, NumPy or reST form."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from docstring_parser import Docstring, ParseError, parse


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
    try:
        found = parse(docstring)
    except ParseError:
        return Docs(short=docstring.strip(), text=docstring.strip())
    parts = [found.short_description, found.long_description, _examples(found)]
    return Docs(
        short=found.short_description,
        text="\n\n".join(part for part in parts if part) or None,
        # A star is how some write the name of an argument that takes many.
        arguments={
            one.arg_name.lstrip("*"): one.description for one in found.params if one.description
        },
    )


def _examples(found: Docstring) -> str | None:
    texts = ["\n".join(filter(None, (one.snippet, one.description))) for one in found.examples]
    return "Examples:\n" + "\n".join(texts) if any(texts) else None
