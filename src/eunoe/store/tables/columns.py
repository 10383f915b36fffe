"""What every table is made of: the one metadata, and the columns that recur."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite numbers rows by itself only in a column of exactly this type.
sequence: Final = BigInteger().with_variant(Integer, "sqlite")


def key() -> Column[str]:
    return Column("id", Text, primary_key=True)


def organization() -> Column[str]:
    return Column("organization_id", Text, nullable=False)


def audit() -> list[Column[object]]:
    return [
        Column("created_by_id", Text),
        Column("last_updated_by_id", Text),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    ]


def to(column: str, target: str, *, nullable: bool = False) -> Column[str]:
    """Return a foreign key whose row goes with the row it points at."""
    return Column(column, Text, ForeignKey(target, ondelete="CASCADE"), nullable=nullable)


def partial(where: str, name: str | None, *columns: str, unique: bool = False) -> Index:
    """Return an index of the rows of which `where` holds."""
    only = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)


def link(name: str, **ends: str) -> Table:
    """Return a table of what belongs to what: the second end to the first, in an order."""
    _, second = ends
    return Table(
        name,
        metadata,
        *(to(column, target) for column, target in ends.items()),
        Column("position", BigInteger, nullable=False),
        PrimaryKeyConstraint(*ends),
        Index(None, second),
    )
