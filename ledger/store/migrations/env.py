"""Alembic's environment: runs on the connection that `schema.upgrade` gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
