"""The golden vectors: the program gives these bytes, and so does a second reading of the design.

Two ways: the ledger is run again on the same requests and must give the same files; and
every byte is computed from the stored inputs with the standard library, rfc8785,
cryptography and the tree's oracle, without the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import sys
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import oracle_merkle
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.entry import open_disclosures, open_sealed, parse_entry
from ledger.errors import VerificationError
from ledger.records.catalog import KINDS
from ledger.tlog.note import parse_verifier_key
from ledger.verify import verify_growth, verify_receipt, verify_trace

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS.parent / "docs" / "vectors"
sys.path.insert(0, str(TESTS / "vectors"))
generate_golden = importlib.import_module("generate_golden")

FILES = (
    "golden/kinds.json",
    "golden/kinds_2.json",
    "golden/small_log.json",
    "receipts/gift.tlog-proof",
    "receipts/log.vkey",
    "receipts/tampered.tlog-proof",
)


def load(name: str) -> dict[str, Any]:
    value = json.loads((VECTORS / "golden" / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


LOGS = {name: load(name) for name in ("kinds", "kinds_2", "small_log")}
KINDS_RECORDS = [*LOGS["kinds"]["records"], *LOGS["kinds_2"]["records"]]
SMALL = LOGS["small_log"]
KEYS = [parse_verifier_key(SMALL["verifier_key"])]
RECORDS = [
    pytest.param(log, number, id=f"{name} {number} {log['records'][number]['kind']}")
    for name, log in LOGS.items()
    for number in range(len(log["records"]))
]


def url64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


class TestAgain:
    """The program of today on the requests of then."""

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls) -> dict[str, bytes]:
        files = generate_golden.make()
        assert isinstance(files, dict)
        return files

    @pytest.mark.parametrize("name", FILES)
    def test_the_program_gives_the_same_bytes(self, made: dict[str, bytes], name: str) -> None:
        assert made[name] == (VECTORS / name).read_bytes()

    def test_no_file_is_left_out(self, made: dict[str, bytes]) -> None:
        assert sorted(made) == sorted(FILES)
        assert {one.name for one in (VECTORS / "golden").iterdir()} == {
            Path(name).name for name in FILES if name.startswith("golden")
        }

    def test_every_kind_has_a_vector(self) -> None:
        found = {record["kind"] for record in KINDS_RECORDS}
        assert found == {kind.name for kind in KINDS}

    def test_every_field_of_a_kind_is_in_a_vector(self) -> None:
        for kind in KINDS:
            requests = [one["request"] for one in KINDS_RECORDS if one["kind"] == kind.name]
            if kind.name != "log.opened":
                given = {name for one in requests for name in one["fields"]}
                assert given == set(kind.fields.model_fields), kind.name
                sealed = {name for one in requests for name in one.get("sealed", {})}
                assert sealed == set(kind.sealed.model_fields), kind.name

    @pytest.fixture
    def made_once(self, made: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        """`main` takes what was made already: making it takes seconds."""
        monkeypatch.setattr(generate_golden, "make", lambda: dict(made))

    @pytest.mark.usefixtures("made_once")
    def test_they_are_not_overwritten(
        self, made: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, data in made.items():
            write(tmp_path / name, data)
        assert generate_golden.main([], tmp_path) == 0
        for name in FILES:
            write(tmp_path / name, made[name].replace(b"golden", b"gilded").replace(b"A", b"B"))
            kept = (tmp_path / name).read_bytes()
            assert generate_golden.main([], tmp_path) == 1
            assert f"{name}: these vectors exist" in capsys.readouterr().err
            assert (tmp_path / name).read_bytes() == kept
            write(tmp_path / name, made[name])
        write(tmp_path / FILES[1], b"other")
        assert generate_golden.main(["--force"], tmp_path) == 0
        assert {name: (tmp_path / name).read_bytes() for name in FILES} == made

    @pytest.mark.usefixtures("made_once")
    def test_a_new_kind_only_adds(self, made: dict[str, bytes], tmp_path: Path) -> None:
        name = generate_golden.GROWING
        value = json.loads(made[name])
        shorter = {**value, "records": value["records"][:-1]}
        write(tmp_path / name, json.dumps(shorter).encode())
        assert generate_golden.main([], tmp_path) == 0
        assert (tmp_path / name).read_bytes() == made[name]
        shorter["records"][3]["entry"] += " "
        for other in (json.dumps(shorter), "[]", "{}", "no json"):
            write(tmp_path / name, other.encode())
            assert generate_golden.main([], tmp_path) == 1


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class TestByHand:
    """Every byte from the inputs, by the design's words and other people's programs."""

    @pytest.mark.parametrize(("log", "number"), RECORDS)
    def test_an_entry_says_what_was_requested(self, log: dict[str, Any], number: int) -> None:
        record = log["records"][number]
        request, data = record["request"], record["entry"].encode()
        entry = json.loads(data)
        assert rfc8785.dumps(entry) == data
        assert hashlib.sha256(b"\x00" + data).hexdigest() == record["leaf_hash"]
        before = log["records"][number - 1]["leaf_hash"] if number else "0" * 64
        assert entry["previous"] == before
        assert entry["version"] == 1
        for name in ("kind", "index", "recorded_at", "recorded_by"):
            assert entry[name] == record[name]
        assert entry["index"] == number
        assert entry.get("approved_by") == record.get("approved_by")
        assert entry["documents"] == request.get("documents", [])
        if number:
            assert entry["occurred_on"] == request["occurred_on"]
            assert request["fields"].items() <= entry["fields"].items()
        else:
            assert entry["fields"]["origin"] == request["origin"] == log["origin"]
            assert entry["fields"]["organisation"] == request["organisation"]
            assert entry["fields"]["keys"] == [log["verifier_key"]]

    @pytest.mark.parametrize(("log", "number"), RECORDS)
    def test_sealed_fields(self, log: dict[str, Any], number: int) -> None:
        record = log["records"][number]
        values = record["request"].get("sealed", {})
        seed = bytes.fromhex(record.get("seed", ""))
        assert bool(values) == bool(seed)
        disclosures = {}
        for name, value in values.items():
            salt = hmac.new(seed, b"shanji/v1/salt/" + name.encode(), hashlib.sha256).digest()[:16]
            disclosures[name] = url64(rfc8785.dumps([url64(salt), name, value]))
        commitments = {
            name: url64(hashlib.sha256(one.encode("ascii")).digest())
            for name, one in disclosures.items()
        }
        assert record.get("disclosures", {}) == disclosures
        assert record.get("commitments", {}) == commitments
        assert json.loads(record["entry"])["sealed"] == commitments

    def test_units_are_conserved(self) -> None:
        """Each account gives numbers in order and each number leaves once."""
        for log in LOGS.values():
            received: dict[tuple[str, str], int] = {}
            gone: dict[tuple[str, str], set[int]] = {}
            for record in log["records"]:
                for posting in json.loads(record["entry"])["postings"]:
                    asset, amount = posting["asset"], posting["amount"]
                    if "takes" in posting:
                        numbers = [n for first, end in posting["takes"] for n in range(first, end)]
                        account = (asset, posting["from"])
                        assert len(numbers) == len(set(numbers)) == amount
                        assert max(numbers) < received[account]
                        assert not gone.setdefault(account, set()) & set(numbers)
                        gone[account] |= set(numbers)
                    if "at" in posting:
                        account = (asset, posting["to"])
                        assert posting["at"] == received.get(account, 0)
                        received[account] = posting["at"] + amount
            assert gone

    def test_the_verifier_key(self) -> None:
        for log in LOGS.values():
            private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(log["log_key_seed"]))
            public = private.public_key().public_bytes_raw()
            material = b"\x01" + public
            identity = hashlib.sha256(log["origin"].encode() + b"\n" + material).digest()[:4]
            written = f"{log['origin']}+{identity.hex()}+{b64encode(material).decode()}"
            assert log["verifier_key"] == written
        assert (VECTORS / "receipts/log.vkey").read_text() == SMALL["verifier_key"] + "\n"

    def test_roots_and_checkpoint(self) -> None:
        leaves = [bytes.fromhex(one["leaf_hash"]) for one in SMALL["records"]]
        assert SMALL["roots"] == [
            oracle_merkle.tree_hash(leaves[:size]).hex() for size in range(len(leaves) + 1)
        ]
        root = b64encode(bytes.fromhex(SMALL["roots"][-1])).decode()
        text = f"{SMALL['origin']}\n{len(leaves)}\n{root}\n"
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SMALL["log_key_seed"]))
        identity = bytes.fromhex(SMALL["verifier_key"].split("+")[1])
        signature = b64encode(identity + private.sign(text.encode())).decode()
        assert SMALL["checkpoint"] == f"{text}\n— {SMALL['origin']} {signature}\n"

    def test_tiles(self) -> None:
        leaves = b"".join(bytes.fromhex(one["leaf_hash"]) for one in SMALL["records"])
        bundle = b"".join(
            len(data).to_bytes(2, "big") + data
            for data in (one["entry"].encode() for one in SMALL["records"])
        )
        assert {path: b64decode(text) for path, text in SMALL["tiles"].items()} == {
            "tile/0/000.p/12": leaves,
            "tile/entries/000.p/12": bundle,
        }

    @pytest.mark.parametrize("form", ["full", "partial", "none"])
    def test_receipts(self, form: str) -> None:
        index = generate_golden.GIFT
        record = SMALL["records"][index]
        opening: dict[str, Any] = {"entry": b64encode(record["entry"].encode()).decode()}
        if form == "full":
            opening["seed"] = url64(bytes.fromhex(record["seed"]))
            opening["values"] = record["request"]["sealed"]
        elif form == "partial":
            opening["disclosures"] = [record["disclosures"]["donor_name"]]
        leaves = [bytes.fromhex(one["leaf_hash"]) for one in SMALL["records"]]
        lines = [
            "c2sp.org/tlog-proof@v1",
            f"extra {b64encode(rfc8785.dumps(opening)).decode()}",
            f"index {index}",
            *(b64encode(one).decode() for one in oracle_merkle.inclusion(index, leaves)),
        ]
        text = "\n".join(lines) + "\n\n" + SMALL["checkpoint"]
        assert SMALL["receipts"][form] == text

    @pytest.mark.parametrize("direction", ["forward", "backward"])
    def test_traces(self, direction: str) -> None:
        data = SMALL["traces"][direction].encode()
        value = json.loads(data)
        assert rfc8785.dumps(value) == data
        assert value["format"] == "shanji-trace/v1"
        assert value["checkpoint"] == SMALL["checkpoint"]
        leaves = [bytes.fromhex(one["leaf_hash"]) for one in SMALL["records"]]
        for one in value["entries"]:
            assert b64decode(one["entry"]).decode() == SMALL["records"][one["index"]]["entry"]
            assert [b64decode(hash_) for hash_ in one["proof"]] == list(
                oracle_merkle.inclusion(one["index"], leaves)
            )

    def test_what_the_forward_trace_says(self) -> None:
        # 100.00 yuan paid 12,000 fen's share of 7 packs; of 3 packs given away, pack k is
        # made from fen [k*12000//7, (k+1)*12000//7).
        (walk,) = json.loads(SMALL["traces"]["forward"])["walks"]
        border = 3 * 12_000 // 7
        assert [(end["state"], end["account"], end["share"]) for end in walk["ends"]] == [
            ("left", "world:beneficiary", [0, border]),
            ("held", "stock:warehouse-central", [border, 10_000]),
        ]


class TestVerified:
    """What the verifier of today says of files of then."""

    @pytest.mark.parametrize(("log", "number"), RECORDS)
    def test_entries(self, log: dict[str, Any], number: int) -> None:
        record = log["records"][number]
        entry = parse_entry(record["entry"].encode())
        values = record["request"].get("sealed", {})
        disclosures = list(record.get("disclosures", {}).values())
        assert open_disclosures(entry.sealed, disclosures) == values
        if values:
            open_sealed(entry.sealed, bytes.fromhex(record["seed"]), values)

    def test_receipts(self) -> None:
        values = SMALL["records"][generate_golden.GIFT]["request"]["sealed"]
        for form, shown in (("full", values), ("partial", {"donor_name"}), ("none", {})):
            found = verify_receipt(SMALL["receipts"][form].encode(), KEYS)
            assert dict(found.values) == {name: values[name] for name in shown}
        assert (VECTORS / "receipts/gift.tlog-proof").read_text("utf-8") == SMALL["receipts"][
            "full"
        ]

    def test_a_tampered_receipt(self) -> None:
        with pytest.raises(VerificationError):
            verify_receipt((VECTORS / "receipts/tampered.tlog-proof").read_bytes(), KEYS)

    def test_traces(self) -> None:
        forward = verify_trace(SMALL["traces"]["forward"].encode(), KEYS)
        assert [one.index for one in forward.entries] == [5, 7, 8]
        backward = verify_trace(SMALL["traces"]["backward"].encode(), KEYS)
        assert [one.index for one in backward.entries] == [5, 7, 8]

    def test_growth(self) -> None:
        checkpoint = SMALL["checkpoint"].encode()
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SMALL["log_key_seed"]))
        identity = bytes.fromhex(SMALL["verifier_key"].split("+")[1])
        for size, proof in SMALL["consistency"].items():
            root = b64encode(bytes.fromhex(SMALL["roots"][int(size)])).decode()
            text = f"{SMALL['origin']}\n{size}\n{root}\n"
            signature = b64encode(identity + private.sign(text.encode())).decode()
            old = f"{text}\n— {SMALL['origin']} {signature}\n".encode()
            hashes = [bytes.fromhex(one) for one in proof]
            assert verify_growth(old, checkpoint, hashes, KEYS).old.size == int(size)
