"""The two roles of docs/operations.md, made by its own SQL: what the lesser one may and may not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from postgresql_server import Databases
from scribe import FIRST_GIFT, ORGANISATION, ORIGIN, Scribe, audited, tell_small_world

from ledger.book import Book
from ledger.store import AnchorRow, Store
from ledger.store.tables import IMMUTABLE, UNDELETABLE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8")
SQL = re.findall(
    r"^ +((?:CREATE|ALTER|GRANT|REVOKE) [^;]*);", PAGE.split("### Make the database")[1], re.M
)


@pytest.fixture
def service(databases: Databases) -> Iterator[tuple[str, str]]:
    """The URL of a database made as the page says, under the service's role, and that role."""
    server, name = databases.server, databases.new()
    roles = {"shanji_owner": f"owner_{name}", "shanji": f"service_{name}"}
    # The page's database has one name, the roles are the server's: here both are this test's own.
    said = [re.sub(r"\bshanji(_owner)?\b", lambda one: roles[one[0]], line) for line in SQL]
    kept = {verb: [line for line in said if line.startswith(verb)] for verb in ("CREATE", "ALTER")}
    database = roles["shanji"]
    for line in kept["CREATE"]:
        server.execute(line)
    server.execute(*kept["ALTER"], database)
    owner = server.url(database).replace("//shanji@", f"//{roles['shanji_owner']}@")
    Store.open(owner).close()
    with psycopg.connect(owner, autocommit=True) as raw:
        for line in said:
            if line.startswith(("GRANT", "REVOKE")):
                raw.execute(line)
    yield server.url(database).replace("//shanji@", f"//{database}@"), database
    for line in (f"DROP DATABASE {database}", *(f"DROP ROLE {one}" for one in roles.values())):
        server.execute(line)


@pytest.mark.sqlite("a server beside a file is the whole of a run on one")
def test_the_service_keeps_a_log_with_the_grants_of_the_page_and_can_change_none(
    service: tuple[str, str], tmp_path: Path
) -> None:
    url, role = service
    where = {"origin": ORIGIN, "organisation": ORGANISATION, "database": url}
    with closing(Book.create(tmp_path / "data", **where)) as book:
        scribe = Scribe(book)
        tell_small_world(scribe)
        scribe.tell("entry.reversed", {"entry": FIRST_GIFT + 1, "reason": "重复登记"})
        law = "个人信息保护法第四十七条"
        scribe.tell("privacy.erased", {"entries": [FIRST_GIFT], "legal_basis": law})
        book.store.drop_old_pages()
        book.store.check_writable()
        assert book.store.check() == []
        audited(book)
        for digest in (b"1", b"2"):
            book.store.agree({"keys": digest}, "machine", "2026-01-01")
            book.store.place_hold("halted", "w1 has seen more")
            assert book.store.lift_hold("halted", "auditor-1")
            with book.store.append() as appender:
                appender.write_proposals([("p", digest)])
                appender.write_cosignatures(book.head().size, [(digest.hex(), b"line")])
                appender.write_cosignatures(book.head().size, [("key", digest)])
                appender.write_anchor(AnchorRow(1, digest.hex(), b"r", b"c", b"m"))
                appender.commit()
    _check_privileges(url, role)


def _check_privileges(url: str, role: str) -> None:
    """Nothing that is recorded can be changed, deleted or emptied."""
    with psycopg.connect(url, autocommit=True) as raw:
        known = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = {name for (name,) in raw.execute(known)}

        def may(verb: str) -> set[str]:
            ask = "SELECT 1 WHERE has_table_privilege(%s, %s, %s)"
            return {one for one in tables if raw.execute(ask, [role, one, verb]).fetchone()}

        assert not may("UPDATE") & {*IMMUTABLE, "alembic_version"}
        assert may("DELETE") == {"holding", "state_object"}
        assert not may("DELETE") & set(UNDELETABLE)
        assert not may("TRUNCATE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raw.execute("ALTER TABLE entry DISABLE TRIGGER ALL")
