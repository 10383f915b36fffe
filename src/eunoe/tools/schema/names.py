"""What the names in a source mean: whence they were imported, and what stands for what."""

import ast


class Names:
    """The names that one module binds at its top level."""

    def __init__(self, module: ast.Module) -> None:
        self._imported: dict[str, str] = {}
        self._aliases: dict[str, ast.expr] = {}
        for node in module.body:
            match node:
                case ast.ImportFrom():
                    self._imported |= {one.asname: one.name for one in node.names if one.asname}
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._aliases[name] = _meant(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._aliases[name] = value
                case _ if type(node).__name__ == "TypeAlias":  # from Python 3.12 on
                    self._declared(vars(node))
                case _:
                    pass

    def _declared(self, statement: dict[str, object]) -> None:
        match statement:
            case {"name": ast.Name(id=name), "value": ast.expr() as value}:
                self._aliases[name] = value
            case _:
                pass

    def of(self, node: ast.AST) -> str:
        """Return the last part of a dotted name as it is called where it comes from, else ""."""
        match node:
            case ast.Name(id=name):
                return self._imported.get(name, name)
            case ast.Attribute(attr=name):
                return name
            case _:
                return ""

    def alias(self, name: str) -> ast.expr | None:
        """Return the expression that `name` stands for, maybe no type at all."""
        return self._aliases.get(name)


def _meant(value: ast.expr) -> ast.expr:
    """Return what `NewType("UserId", str)` is, and all else as it stands."""
    match value:
        case ast.Call(func=ast.Name(id="NewType") | ast.Attribute(attr="NewType"), args=[_, made]):
            return made
        case _:
            return value
