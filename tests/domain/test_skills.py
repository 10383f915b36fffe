"""What a model is told of skills."""

import pytest

from eunoe.domain.blocks import Block
from eunoe.domain.skills import Skill, skills_section


def _block(label: str, description: str | None = None) -> Block:
    return Block(id=label, label=label, value="", description=description)


@pytest.mark.rule("L20")
def test_skills_stand_in_a_tree_by_where_they_are() -> None:
    blocks = [
        _block("human"),
        _block("skills/tea", "How to make tea."),
        _block("skills/draw/maps/SKILL", "How to\ndraw maps."),
    ]
    by_client = [
        Skill(name="tea", description="Another way.", location="/s/tea/SKILL.md"),
        Skill(name="sail", description="How to sail.", location="/s/sail/SKILL.md"),
        Skill(name="bake", description="How to bake.", location="/s/bake/SKILL.md"),
        Skill(name="sing", description="How to sing.", location="sing.md"),
    ]
    head, _, *rows, tail = skills_section(blocks, by_client).splitlines()
    assert (head, tail) == ("<available_skills>", "</available_skills>")
    assert rows == [
        "/",
        "└── sing (sing.md): How to sing.",
        "/s",
        "├── bake (/s/bake/SKILL.md): How to bake.",
        "└── sail (/s/sail/SKILL.md): How to sail.",
        "memory blocks",
        "├── draw/maps (skills/draw/maps/SKILL): How to draw maps.",
        "└── tea (skills/tea): How to make tea.",
    ]


@pytest.mark.rule("L20")
def test_without_skills_there_is_no_section() -> None:
    assert skills_section([_block("human"), _block("skills")], ()) == ""
