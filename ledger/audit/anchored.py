"""The audit of the time stamps: each is of a checkpoint that was signed, and unaltered."""

from __future__ import annotations

import hmac

from ledger.audit.anchors import stamped_text
from ledger.audit.authorities import row_mac, verify_row
from ledger.audit.report import Notes, Rows
from ledger.errors import LedgerError
from ledger.store import AnchorRow, Reader
from ledger.vault import Vault


def check_anchors(reader: Reader, vault: Vault | None, notes: Notes) -> None:
    """Verify every stored time stamp under the certificates that were kept with it.

    Whether those are the authority's is for the auditor to say (``anchor-verify`` with
    certificates from elsewhere). Bytes that no signature covers are held by the row's
    keyed digest, which needs the vault's key.
    """
    rows = Rows(reader, "anchor", notes)
    if rows.row is not None and vault is None:
        notes.not_checked.append("the keyed digests of time stamps (no vault key)")
    for values in rows:
        row = AnchorRow(*values)
        notes.count("anchors")
        place = f"anchor {row.size} {row.authority}"
        try:
            verify_row(row, stamped_text(reader.checkpoint(row.size)))
        except LedgerError as error:
            notes.find("anchor", place, None, error.message)
            continue
        if vault is not None and not hmac.compare_digest(row_mac(vault, row), row.mac):
            notes.find("anchor", place, None, "the row is not as it was written")
