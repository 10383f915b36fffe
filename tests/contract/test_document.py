"""The served document has what the official client asks for, and every method is tried."""

import pytest

from tests.contract.callers import called_in_node, called_in_python
from tests.contract.differences import IGNORED, LEFT_OUT, NOT_SERVED
from tests.contract.official import Method, methods
from tests.contract.served import key, operations

_METHODS = {one.name: one for one in methods()}


def _left_out(method: Method) -> set[str]:
    """Return what the client knows and the document does not."""
    operation = operations()[key(method.verb, method.path)]
    # A name that stands in two places of one request is told apart by the client.
    asked = {one for one in method.parameters if one not in operation.parameters}
    asked = {
        one
        for one in asked
        if one.partition("_")[0] not in {"body", "query", "path"}
        or one.partition("_")[2] not in operation.parameters
    }
    return asked | (method.fields - operation.fields)


def test_there_is_every_method() -> None:
    assert len(_METHODS) == 129


def test_every_method_has_a_route() -> None:
    routes = {name: key(one.verb, one.path) for name, one in _METHODS.items()}
    assert {name: route for name, route in routes.items() if route not in operations()} == {}


@pytest.mark.parametrize("name", sorted(_METHODS.keys() - NOT_SERVED.keys()))
def test_a_method_is_served_with_all_it_asks_for(name: str) -> None:
    method = _METHODS[name]
    known = LEFT_OUT.get(name, {}).keys()
    assert _left_out(method) == known, "serve these, or say why not in differences.py"


def test_every_method_is_called_by_tests_of_both_clients() -> None:
    wanted = _METHODS.keys() - NOT_SERVED.keys()
    assert sorted(wanted - called_in_python()) == []
    assert sorted(wanted - called_in_node()) == []


def test_what_differs_is_known_to_the_client() -> None:
    assert NOT_SERVED.keys() | LEFT_OUT.keys() | IGNORED.keys() <= _METHODS.keys()
    for name, ignored in IGNORED.items():
        assert ignored.keys() <= _METHODS[name].parameters - _left_out(_METHODS[name]), name
