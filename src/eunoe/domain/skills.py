"""What a model is told of skills: texts it can look up when it needs them (agent L20)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eunoe.domain.blocks import Block
from eunoe.domain.wellformed import one_line

_PREFIX: Final = "skills/"
_FILES: Final = ("SKILL.md", "SKILL")
_OWN: Final = "memory blocks"
_INTRODUCTION: Final = (
    "Skills are instructions for certain tasks. These are there, by where they are kept; read one "
    "before you do what it is for."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """`location` is a path on the client, or the label of a memory block."""

    name: str
    description: str
    location: str


def skills_section(blocks: Sequence[Block], by_client: Sequence[Skill]) -> str:
    """Return the `<available_skills>` section, empty without skills.

    Of two skills of one name the agent's own counts. Nothing of it is stored.
    """
    own = [
        Skill(name=name, description=block.description or "", location=block.label)
        for block in blocks
        if (name := _named(block.label))
    ]
    if not own and not by_client:
        return ""
    named = {skill.name: skill for skill in (*by_client, *own)}
    roots: dict[str, list[Skill]] = {}
    for skill in named.values():
        roots.setdefault(_root(skill), []).append(skill)
    rows = [row for root in sorted(roots) for row in _tree(root, roots[root])]
    return "\n".join(["<available_skills>", _INTRODUCTION, *rows, "</available_skills>"])


def _named(label: str) -> str:
    """Return the name of the skill that a block's label names, empty where it names none."""
    if not label.startswith(_PREFIX):
        return ""
    *folders, last = label.removeprefix(_PREFIX).split("/")
    return "/".join(folders if folders and last in _FILES else [*folders, last])


def _root(skill: Skill) -> str:
    """Return the folder in which a skill's own folder, or its only file, is."""
    if skill.location.startswith(_PREFIX):
        return _OWN
    folder, _, last = skill.location.rpartition("/")
    return (folder.rpartition("/")[0] if last in _FILES else folder) or "/"


def _tree(root: str, skills: Sequence[Skill]) -> Iterator[str]:
    yield one_line(root)
    ordered = sorted(skills, key=lambda skill: skill.name)
    for skill in ordered:
        branch = "└──" if skill is ordered[-1] else "├──"
        yield one_line(f"{branch} {skill.name} ({skill.location}): {skill.description}")
