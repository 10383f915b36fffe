"""The conditions of one statement, gathered one by one with the values they bind."""

from dataclasses import dataclass, field
from typing import Self

from eunoe.store import codec
from eunoe.store.db import Tx, Value, among, containing, each, unindexed


@dataclass(slots=True)
class Where:
    """`add` what must hold; `sql` stands after WHERE, `args` are bound in it."""

    tx: Tx
    clauses: list[str] = field(default_factory=list[str])
    args: list[Value] = field(default_factory=list[Value])

    def bound(self, value: Value) -> str:
        """Bind `value`; return its placeholder."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add(self, clause: str, *values: Value) -> Self:
        """Add `clause`, whose `{}` stand for `values` in order."""
        self.clauses.append(clause.format(*(self.bound(value) for value in values)))
        return self

    def equal(self, **columns: Value) -> Self:
        """Want each named column to equal its value; null asks for nothing."""
        for column, value in columns.items():
            if value is not None:
                self.add(f"{column} = {{}}", value)
        return self

    def contains(self, **columns: str | None) -> Self:
        """Want each named column to hold its text, in any case; null asks for nothing."""
        for column, text in columns.items():
            if text is not None:
                self.clauses.append(containing(self.tx, column, self.bound(text)))
        return self

    def among(self, expression: str, values: tuple[str, ...]) -> Self:
        """Want `expression` among `values`; none of them asks for nothing."""
        if values:
            place = self.bound(codec.encode(values))
            self.clauses.append(f"{expression} {among(self.tx, place)}")
        return self

    def tagged(self, column: str, tags: tuple[str, ...], *, every: bool) -> Self:
        """Want any, or `every`, of `tags` in the JSON array in `column`; none asks for nothing."""
        if tags:
            place = self.bound(codec.encode(tags))
            found = f"FROM {each(self.tx, column)} WHERE item.value {among(self.tx, place)}"
            self.counted(f"SELECT COUNT(DISTINCT item.value) {found}", tags, every=every)
        return self

    def counted(self, count: str, tags: tuple[str, ...], *, every: bool) -> None:
        """Want the subquery `count` of matching tags to find one, or `every` one of `tags`."""
        self.add(f"({count}) >= {{}}", len(set(tags)) if every else 1)

    def linked(self, clause: str, value: Value) -> Self:
        """Want the few rows that a table of links ties to `value`; null asks for nothing.

        The search begins with them and not with the organization, which may have very many.
        """
        if value is not None:
            column, rest = self.clauses[0].split(" ", 1)
            if column != unindexed(column.partition("||")[0]):
                self.clauses[0] = f"{unindexed(column)} {rest}"
            self.add(clause, value)
        return self

    def shown(self, table: str) -> Self:
        """Leave out what is hidden."""
        return self.add(f"({table}.hidden IS NULL OR {table}.hidden = 0)")

    def owned(self, what: str, identifier_keys: tuple[str, ...]) -> Self:
        """Want it to belong to an identity of any of these keys; none asks for nothing."""
        if identifier_keys:
            place = self.bound(codec.encode(identifier_keys))
            self.add(
                f"{what}s.id IN (SELECT {what}_id FROM {what}s_identities AS owned"
                " JOIN identities ON identities.id = owned.identity_id"
                f" WHERE identities.identifier_key {among(self.tx, place)}"
                " AND identities.organization_id = {})",
                self.tx.actor.organization_id,
            )
        return self

    @property
    def sql(self) -> str:
        return " AND ".join(self.clauses)


def of_organization(tx: Tx, table: str) -> Where:
    """Begin with what holds for every query: the rows of the actor's organization."""
    return Where(tx).add(f"{table}.organization_id = {{}}", tx.actor.organization_id)
