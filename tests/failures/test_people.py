"""Names that must not leak, and a ledger that nobody has to trust."""

from __future__ import annotations

import shutil
from base64 import b64encode
from contextlib import closing
from pathlib import Path

from caller import Caller
from desk import DAY, Desk
from foreign_reader import leaf, open_note, tree_hash
from scribe import Scribe, audited, make_book, open_copy
from tamper import Tamper

from ledger.audit.replay import audit
from ledger.book import Book
from ledger.records.kind import Role
from ledger.store.tables import TABLES

NAME = "示例捐赠人甲乙丙"
CHILD = "示例儿童甲乙丙"


class TestADonorsNameLeakedAChildIdentified:
    """a donor's name leaked, a child identified"""

    def test_a_name_is_in_no_public_byte(self, desk: Desk) -> None:
        gift = desk.tell(
            "donation.money",
            {"fund": "general", "channel": "bank", "amount_fen": 1_000},
            {"donor_name": NAME, "order_number": "LEAK-1"},
        )
        paths = [f"/v1/entries/{gift}", f"/entries/{gift}", "/", "/entries", "/v1/entries"]
        paths += [f"/v1/entries/{gift}/trace", f"/v1/entries/{gift}/receipt", "/v1/statistics"]
        bundle = f"/tile/entries/000.p/{desk.size()}"
        for path in (*paths, bundle):
            answer = desk.caller.get(path)
            assert answer.status_code == 200, path
            for secret in (NAME, "LEAK-1"):
                assert secret.encode() not in answer.content, path
                # JSON may write the letters as escapes.
                assert secret not in answer.content.decode("unicode_escape", "replace")
        assert desk.caller.get(f"/v1/entries/{gift}/opening").status_code in (401, 403)
        opened = desk.caller.call("GET", f"/v1/entries/{gift}/opening", role=Role.AUDITOR)
        assert opened.json()["values"]["donor_name"] == NAME

    def test_the_database_has_no_name_either(self, desk: Desk) -> None:
        desk.tell("wish.posted", self.wish("wish-1"), {"child_name": CHILD, "school": NAME})
        folder = desk.caller.folder
        for path in folder.glob("ledger.sqlite3*"):
            data = path.read_bytes()
            assert CHILD.encode() not in data
            assert NAME.encode() not in data
        with closing(Tamper(folder)) as tamper:
            rows = [row for table in TABLES for row in tamper.rows(table)]
        for value in (one for row in rows for one in row if isinstance(one, bytes | str)):
            data = value.encode() if isinstance(value, str) else value
            assert CHILD.encode() not in data
            assert NAME.encode() not in data

    def wish(self, code: str, **changes: str) -> dict[str, str]:
        return {"code": code, "wish_class": "schoolbag", "age_band": "6-11", **changes}

    def test_a_child_has_a_number_and_no_name(self, desk: Desk) -> None:
        for name in ("child_name", "name", "school"):
            problem = desk.refused("wish.posted", self.wish("wish-1", **{name: CHILD}))
            assert problem["errors"][0]["field"] == f"fields.{name}"
        person = {"code": "child-1", "party_class": "person", "name": CHILD}
        assert desk.refused("party.registered", person)["code"] == "person_named"

    def test_few_children_are_not_counted_in_public(self, desk: Desk) -> None:
        for number in range(6):
            changes = {"age_band": "12-17"} if number == 5 else {}
            desk.tell("wish.posted", self.wish(f"wish-{number}", **changes))
        wishes = desk.caller.value("/v1/statistics")["wishes"]
        # Five of one age band and one of another: neither number, nor both by subtraction.
        assert [set(one) - {"wish_class", "age_band"} for one in wishes["groups"]] == [
            {"fewer_than"},
            {"withheld"},
        ]
        assert wishes["total"] == {"withheld": True}
        table = desk.page("/statistics").table("微心愿")
        assert [row[-1] for row in table.rows[1:]] == ["少于 5", "不公布", "不公布"]


class TestOneParticipantIsOnlyADatabase:
    """ "one participant is only a database\""""

    def test_anyone_recomputes_the_signed_root_without_our_code(self, desk: Desk) -> None:
        desk.gift("general", 1_000)
        vkey = desk.caller.value("/v1/log")["verifier_keys"][0]
        text = open_note(desk.caller.get("/checkpoint").content, vkey)
        leaves = [leaf(entry) for entry in self.mirrored(desk.caller, int(text[1]))]
        assert b64encode(tree_hash(leaves)).decode() == text[2]

    def mirrored(self, caller: Caller, size: int) -> list[bytes]:
        """The entries as the tile of a log of fewer than 256 gives them."""
        data = caller.get(f"/tile/entries/000.p/{size}").content
        entries: list[bytes] = []
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
        assert len(entries) == size
        return entries

    def test_a_changed_row_is_found(self, failures_template: Path, tmp_path: Path) -> None:
        book = open_copy(failures_template, tmp_path / "book")
        tamper = Tamper(book.folder)
        _, data, _ = tamper.rows("entry")[17]
        assert b'"amount_fen":100000' in data
        changed = data.replace(b'"amount_fen":100000', b'"amount_fen":900000')
        tamper.change("entry", (17,), "data", changed)
        tamper.close()
        report = audit(book.store, vault=book.vault, keys=book.verifier_keys)
        book.close()
        assert {"leaf_hash", "root_mismatch"} <= {one.code for one in report.findings}

    def test_a_history_written_anew_with_the_same_keys_is_found_by_a_kept_receipt(
        self, tmp_path: Path
    ) -> None:
        """Who holds the keys and the database can write another log, and nobody who kept a
        checkpoint or a receipt takes it for this one."""
        first = make_book(tmp_path / "first")
        Scribe(first).tell("fund.opened", self.fund("甲"), day=DAY)
        kept = [first.checkpoint(), first.receipt(1)]
        audited(first)
        first.close()
        other = tmp_path / "other"
        shutil.copytree(tmp_path / "first" / "keys", other / "keys")
        second = self.made_anew(other)
        try:
            assert second.verifier_keys == first.verifier_keys
            audited(second)
            report = audit(second.store, vault=second.vault, keys=second.verifier_keys, known=kept)
            assert {one.code for one in report.findings} == {"history"}
            assert len(report.findings) == 2
            assert all(one.evidence for one in report.findings)
        finally:
            second.close()

    def fund(self, name: str) -> dict[str, str]:
        return {"code": "general", "name": name, "fund_class": "unrestricted"}

    def made_anew(self, folder: Path) -> Book:
        book = make_book(folder)
        Scribe(book).tell("fund.opened", self.fund("乙"), day=DAY)
        return book
