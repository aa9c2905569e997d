"""A real time-stamping authority for tests: OpenSSL signs, a loopback server answers.

A root certificate, a signing certificate under it, and `openssl ts -reply` for each
query. Nothing of it is ours but the few lines of HTTP.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OPENSSL_SECONDS_MAX = 240
CONFIG = """
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
[tsa]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[answers]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = root.pem
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
signer_digest = sha256
ess_cert_id_alg = sha256
crypto_device = builtin
"""


class TimestampAuthority:
    """An authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "tsa.cnf").write_text(CONFIG)
        subject = ("-subj", f"/CN={name}", "-config", "tsa.cnf")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._run(
            "req", "-x509", *new, "-keyout", "root.key", "-out", "root.pem", *subject,
            "-extensions", "root", "-days", "3650",
        )  # fmt: skip
        self._run("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", *subject)
        self._run(
            "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-out", "tsa.pem", "-extfile", "tsa.cnf", "-extensions", "tsa",
            "-days", "3650",
        )  # fmt: skip
        self._lock = threading.Lock()

    def _run(self, *words: str) -> bytes:
        done = subprocess.run(
            ["openssl", *words],
            cwd=self.folder,
            capture_output=True,
            check=True,
            timeout=OPENSSL_SECONDS_MAX,
        )
        return done.stdout

    @property
    def root(self) -> bytes:
        """The root certificate, PEM."""
        return (self.folder / "root.pem").read_bytes()

    def answer(self, query: bytes) -> bytes:
        """The answer to a query, DER both."""
        with self._lock:
            (self.folder / "query.tsq").write_bytes(query)
            self._run(
                "ts", "-reply", "-config", "tsa.cnf", "-section", "answers",
                "-queryfile", "query.tsq", "-out", "answer.tsr",
            )  # fmt: skip
            return (self.folder / "answer.tsr").read_bytes()

    def verifies(self, response: bytes, text: bytes) -> bool:
        """What OpenSSL itself says of an answer."""
        (self.folder / "given.tsr").write_bytes(response)
        (self.folder / "given.txt").write_bytes(text)
        words = ("ts", "-verify", "-data", "given.txt", "-in", "given.tsr", "-CAfile", "root.pem")
        done = subprocess.run(
            ["openssl", *words],
            cwd=self.folder,
            capture_output=True,
            check=False,
            timeout=OPENSSL_SECONDS_MAX,
        )
        return done.returncode == 0

    @contextmanager
    def serving(self) -> Iterator[str]:
        """A loopback server that answers; gives its URL."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                data = authority.answer(self.rfile.read(length))
                self.send_response(200)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
