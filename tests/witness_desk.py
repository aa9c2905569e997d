"""A witness behind a plain HTTP server in this process, which can be told to misbehave.

It is the real witness (``ledger.audit.witness``) with its state in a file; `answers`
counts what it was asked, and `behave` stands in for its answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.audit.witness.judge import Verdict, Witness
from ledger.audit.witness.state import WitnessState
from ledger.tlog.cosignature import CosignatureSigner
from ledger.tlog.note import VerifierKey, format_verifier_key
from ledger.tlog.policy import LogKey, Policy
from ledger.tlog.policy import Witness as PolicyWitness

Behave = Callable[[bytes], Verdict]
WAIT_SECONDS_MAX = 120


class Desk:
    """One witness; `away` makes it drop every connection, and count them in `turned_away`."""

    def __init__(self, folder: Path, number: int, *log_keys: VerifierKey) -> None:
        private = Ed25519PrivateKey.from_private_bytes(bytes([100 + number]) * 32)
        self.signer = CosignatureSigner(f"w{number}.example", private, lambda: int(time.time()))
        self.key = self.signer.verifier_key
        self.vkey = format_verifier_key(self.key)
        self.state = WitnessState.create(folder / f"witness-{number}", [self.vkey])
        policy = Policy(tuple(LogKey(one) for one in log_keys))
        self.witness = Witness(policy, self.state, [self.signer], lambda: int(time.time()))
        self.answers: list[int] = []
        self.behave: Behave | None = None
        self.away = False
        self.turned_away = 0
        self._server = self._listen(0)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _listen(self, port: int) -> ThreadingHTTPServer:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if desk.away:
                    desk.turned_away += 1
                    self.close_connection = True
                    return
                assert self.path == "/add-checkpoint"
                verdict = (desk.behave or desk.witness.add_checkpoint)(body)
                desk.answers.append(verdict.status)
                self.send_response(verdict.status)
                self.send_header("content-type", verdict.media_type)
                self.send_header("content-length", str(len(verdict.body)))
                self.end_headers()
                self.wfile.write(verdict.body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def as_witness(self, name: str) -> PolicyWitness:
        """Its line in a policy."""
        return PolicyWitness(name, self.key, self.url)


@contextmanager
def desks(folder: Path, count: int, *log_keys: VerifierKey) -> Iterator[list[Desk]]:
    """Some witnesses of one log."""
    made = [Desk(folder, number, *log_keys) for number in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


def eventually(check: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not check():
        assert time.monotonic() < end, "it did not come to be so"
        time.sleep(0.01)
