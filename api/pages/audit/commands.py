"""The commands that check this very log on another machine, with its address and key filled in."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from starlette.requests import Request

from api.pages.page import LogState

MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class Commands:
    """One command a line; each can be pasted as it is.

    `site` is this service's address as the reader sees it, `keys` the log's keys as options.
    """

    site: str
    keys: str

    install = "pip install 'shanji[server,auditor]'"
    export = "shanji export export --format csv"

    @property
    def policy(self) -> str:
        """The log's keys through its life, as a policy file."""
        return f"curl -fo log.policy {self.site}/v1/keys/policy"

    @property
    def mirror(self) -> str:
        """A verified copy of the log."""
        return f"shanji mirror {self.site} {MIRROR} {self.keys}"

    @property
    def audit(self) -> str:
        """Everything again from the entries."""
        return f"shanji audit {MIRROR} {self.keys} --report report"

    @property
    def verify(self) -> str:
        """A receipt, without a network."""
        return f"shanji verify gift.tlog-proof {self.keys}"

    @property
    def export_check(self) -> str:
        """An export, without the ledger."""
        return f"shanji export-check export {self.keys}"

    @property
    def growth(self) -> str:
        """A checkpoint or receipt that somebody kept, against the log as it is served."""
        new = f"curl -fo new.checkpoint {self.site}/checkpoint"
        return (
            f"{new}\nshanji verify-growth old.checkpoint new.checkpoint {self.keys} "
            f"--log {self.site}"
        )

    def evidence(self, first: str, second: str) -> str:
        """Two files that contradict each other."""
        return f"shanji evidence {first} {second} {self.keys}"

    def growth_of(self, old: int, new: int) -> str:
        """Two sizes that were signed."""
        fetched = [
            f"curl -fo {name}.checkpoint {self.site}/v1/checkpoints/{size}"
            for name, size in (("old", old), ("new", new))
        ]
        verify = f"shanji verify-growth old.checkpoint new.checkpoint {self.keys} --log {self.site}"
        return "\n".join([*fetched, verify])

    def sample(self, seed: str, count: int, kind: str | None, fund: str | None) -> str:
        """The very draw of a sample."""
        options = [f"--seed {shlex.quote(seed)}", f"-n {count}"]
        options += [
            f"--{name} {shlex.quote(value)}"
            for name, value in (("kind", kind), ("fund", fund))
            if value
        ]
        return f"shanji sample {MIRROR} {self.keys} {' '.join(options)} --csv sample.csv"


def log_commands(request: Request, log: LogState) -> Commands:
    """The commands for the log that this service serves."""
    keys = " ".join(f"--key {shlex.quote(one)}" for one in log.verifier_keys)
    return Commands(str(request.base_url).rstrip("/"), keys)
