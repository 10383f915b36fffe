"""What Alembic runs to set itself up: always offline, always for the dialect it was told."""

from alembic import context

from eunoe.store.tables import metadata

context.configure(
    dialect_name=context.config.attributes["dialect"],
    target_metadata=metadata,
    literal_binds=True,
    # The caller's transaction is around the whole script, and a lock with it.
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
