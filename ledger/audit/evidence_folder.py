"""Evidence on the disk: a folder that a person can hand to somebody else.

::

    <kind>-<12 hex digits>/a.checkpoint    what the log signed
                           b.checkpoint    what it signed too (or b.served: what was served)
                           b.consistency   where the sizes differ: what ties the two
                           README          what the files prove and what not, zh and en
                           alarm.json      the same for programs; written last
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ledger.audit.folder import DurableFolder

ALARM_FORMAT = "shanji-alarm/v1"
ALARM = "alarm.json"
README = "README"

_NAME_HEX = 12

_PROVES = {
    "two_histories": (
        "账本用自己的密钥签了两份不可能同时为真的检查点。任何人只凭这些文件和账本公钥就能核验，"
        "无需信任提供文件的人。不能证明哪一份是真的，也不能证明原因（改写、分叉、密钥失窃）。",
        "The log signed, with its own key, two checkpoints that cannot both be true. Anybody can "
        "check this from these files and the log's public key, without trusting whoever hands "
        "them over. It is not proved which of the two is true, nor why there are two (rewritten, "
        "forked, a stolen key).",
    ),
    "served_wrong": (
        "a.checkpoint 是账本签名的；b.served 是当时取得的内容，并附有证明该处应有内容的哈希。"
        "可以核验：取得的内容不是账本所签名的内容。内容本身没有签名，因此不能证明是谁提供的："
        "请立即从同一地址重新取得并比较，并请他人也这样做。",
        "a.checkpoint is signed by the log; b.served is what was fetched, with the hashes that "
        "show what belongs there. It can be checked that the fetched bytes are not what the log "
        "signed. Nobody signed the bytes themselves, so who served them is not proved: fetch the "
        "same address again at once and compare, and let others do so.",
    ),
    "unproved": (
        "a.checkpoint 由账本签名，但没有任何来源提供能把它与此前所见检查点（b.checkpoint）相连的"
        "哈希块。两者可能是同一段历史，也可能不是：扣留这些内容本身就应当追问。",
        "a.checkpoint is signed by the log, but nobody serves the tiles that would tie it to the "
        "checkpoint seen before (b.checkpoint). Both may be one history, or not: that the tiles "
        "are withheld is a question to ask.",
    ),
    "behind": (
        "a.checkpoint 是该地址仍在给出的检查点，b.checkpoint 是他处已见的更新的检查点。"
        "两份都由账本签名，可能都为真；该地址陈旧，或有人向它隐瞒了新内容。",
        "a.checkpoint is what the address still shows, b.checkpoint is a newer one seen elsewhere. "
        "Both are signed by the log and may be true; the address is stale, or somebody keeps "
        "newer content from it.",
    ),
    "unwitnessed": (
        "检查点由账本签名，但见证签名不足。未经见证的检查点可能只给您一人看过。",
        "The checkpoint is signed by the log, with too few cosignatures. What no witness saw may "
        "have been shown to you alone.",
    ),
    "bad_checkpoint": (
        "该地址给出的内容不是用已知密钥签名的本账本检查点。内容未签名，不能证明是谁给出的。",
        "What the address showed is no checkpoint of this log signed with a known key. Nobody "
        "signed it, so who showed it is not proved.",
    ),
    "away": (
        "该地址长时间无法读取。这不说明账本有问题，但也无法继续核验。",
        "The address could not be read for long. That says nothing against the log, but nothing "
        "can be checked either.",
    ),
    "shrunk": (
        "同一地址先后给出了这两份检查点，后一份更短。两份可能都为真（例如恢复了备份或缓存陈旧），"
        "但账本只会增长：若此后按另一段历史增长，监测会给出证明。",
        "The same address showed these two checkpoints one after the other, and the later is the "
        "shorter. Both may be true (a backup was restored, a cache is stale), but a log only "
        "grows: if it now grows along another history, the monitor will prove it.",
    ),
}
_OTHERS = (
    "这些文件记录了当时看到的情况；它们本身不证明账本有两段历史。",
    "These files record what was seen; they do not by themselves prove two histories.",
)
_CHECK = {
    "two_histories": "b.consistency",
    "served_wrong": "b.served",
}
_TEXT = """{time}  {kind}

{message}

中文
{zh}
{zh_check}请保留本文件夹，复制给审计人员和其他见证人；不要修改其中的文件。

English
{en}
{en_check}Keep this folder, copy it to the auditors and to other witnesses; do not change its files.

{files}"""


def write_evidence(
    folder: DurableFolder,
    below: str,
    kind: str,
    message: str,
    files: Mapping[str, bytes],
    *,
    now: int,
    details: Mapping[str, object] | None = None,
) -> tuple[Path, bool]:
    """Write an evidence folder; the same evidence is written once.

    Args:
        folder: Where to write; evidence is public.
        below: The folder in it that holds all evidence.
        kind: What it is about, in snake case.
        message: What was found, one sentence for people.
        files: The evidence files.
        now: Seconds since 1970.
        details: Further JSON values for programs; other details are other evidence.

    Returns:
        The evidence folder, and whether it is new.

    Raises:
        FatalError: the disk failed.
    """
    digest = hashlib.sha256(json.dumps(details or {}, sort_keys=True).encode() + b"\n")
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode() + files[name])
    place = f"{below}/{kind}-{digest.hexdigest()[:_NAME_HEX]}"
    path = folder.folder / place
    if (path / ALARM).exists():
        return path, False
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, data in files.items():
        folder.write(f"{place}/{name}", data)
    folder.write(f"{place}/{README}", _readme(kind, message, files, time))
    alarm = {
        "format": ALARM_FORMAT,
        "kind": kind,
        "time": time,
        "message": message,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        **(details or {}),
    }
    text = json.dumps(alarm, ensure_ascii=False, indent=2) + "\n"
    folder.write(f"{place}/{ALARM}", text.encode())
    folder.sync()
    return path, True


def _readme(kind: str, message: str, files: Mapping[str, bytes], time: str) -> bytes:
    zh, en = _PROVES.get(kind, _OTHERS)
    other = _CHECK.get(kind, "")
    zh_check = en_check = ""
    if other:
        other = other if other in files else "b.checkpoint"
        command = f"shanji evidence a.checkpoint {other} --key VKEY"
        zh_check = f"核验命令（VKEY 为账本公钥）：{command}\n"
        en_check = f"To check it (VKEY is the log's verifier key): {command}\n"
    listed = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    )
    text = _TEXT.format(
        time=time,
        kind=kind,
        message=message,
        zh=zh,
        en=en,
        zh_check=zh_check,
        en_check=en_check,
        files=listed,
    )
    return text.encode()
