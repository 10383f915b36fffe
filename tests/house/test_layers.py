"""The list of layers in pyproject.toml is the whole package: nothing unplaced, nothing that is gone."""

from tests.house.tree import SERVER, project


def _layers() -> list[str]:
    contracts = project()["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [part.strip() for layer in layers for part in layer.split("|")]


def _packages_and_modules() -> set[str]:
    packages = {path.parent.name for path in SERVER.glob("*/__init__.py")}
    modules = {path.stem for path in SERVER.glob("*.py")}
    return packages | modules - {"__init__", "__main__"}


def test_every_package_has_a_layer_and_every_layer_a_package() -> None:
    assert sorted(_layers()) == sorted(_packages_and_modules())


def test_code_stands_in_packages_only() -> None:
    """A folder of code without `__init__.py` would escape the import contracts."""
    folders = {path.parent for path in SERVER.rglob("*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()
