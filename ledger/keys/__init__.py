"""The log's keys: which key counts when, where private parts lie, and who signs.

``history`` is pure: from the entries that add and revoke keys to the keys that are valid
for a checkpoint of any size. The rest is the edge: ``access`` says where the key files are
and which passphrase opens them, ``sealed`` what they look like when they are encrypted,
``files`` reads and writes them, ``external`` asks a signer outside this process, and
``ring`` puts a checkpoint's signatures together.

A private key, a passphrase and what they open are in no log line, no repr and no error.
"""
