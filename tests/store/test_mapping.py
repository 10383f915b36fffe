"""A mapping writes to columns that its table has, and to each column once."""

import importlib
import pkgutil
from typing import Any

import pytest

from eunoe import store
from eunoe.store.mapping import Mapped
from eunoe.store.tables import metadata


def mappings() -> dict[str, Mapped[Any]]:
    """Return every mapping to a table, by the module and the name it has there.

    Jobs are only read, from several tables at once; agents have a mapping a dialect.
    """
    modules = [
        importlib.import_module(f"eunoe.store.{one.name}")
        for one in pkgutil.iter_modules(store.__path__)
        if not one.ispkg
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in [*vars(module).items(), *getattr(module, "MAPPINGS", {}).items()]
        if isinstance(value, Mapped) and value.table != "jobs"
    }


@pytest.mark.parametrize("what", mappings().values(), ids=mappings().keys())
def test_a_mapping_writes_to_columns_of_its_table(what: Mapped[Any]) -> None:
    written = list(what.names.values())
    assert set(written) <= set(metadata.tables[what.table].columns.keys())
    assert len(written) == len(set(written))
    assert set(what.kept) <= set(what.fields)
