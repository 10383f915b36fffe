"""Tools whose source was taken out of a program that has imports and classes of its own."""

from pathlib import Path

import pytest

from tests.tools.programs import run, sandboxed

pytestmark = pytest.mark.anyio


@pytest.mark.rule("X28")
async def test_annotations_may_name_what_only_the_client_has_imported(tmp_path: Path) -> None:
    source = """
        def act(items: List[Item], note: Optional[str] = None, *, at: Place) -> Dict[str, Any]:
            first = items[0]
            assert not hasattr(first, "colour")
            told = [first["name"], first.name, first.items[0].size, at.town, note]
            return {"told": told, "items": items}
    """
    items = [{"name": "tea", "items": [{"size": 2}]}]
    async with sandboxed(tmp_path) as sandbox:
        ran = await run(sandbox, source, items=items, at={"town": "Oslo"})
    assert (ran.ok, ran.output) == (
        True,
        {"told": ["tea", "tea", 2, "Oslo", None], "items": items},
    ), ran
