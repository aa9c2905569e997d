"""Publishing a log's public data to a folder or an object store (docs/publish.md).

`publish` uploads what a target has not yet, verified against the signed root, its
checkpoint last; `open_target` opens the target by its address.
"""

from ledger.publishing.publishing import Published, publish
from ledger.publishing.targets import Target, open_target

__all__ = ["Published", "Target", "open_target", "publish"]
