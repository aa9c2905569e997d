"""The auditor's pages: what can be checked here, and what to check elsewhere.

::

    /audit              does it add up? each sum by two ways, each number a way to its entries
      accounts/…        one account: what came in and went out, by the numbers of its units
      integrity         size, root, keys, witnesses, anchors
      consistency       two sizes, or two signed checkpoints: one history or two
      attention         what asks for a person's judgement, and what auditors decided
      sample            a reproducible draw, to tick off
      downloads         everything, and the commands to check it on another machine

What this service says of itself is its word; so each page gives the command that checks
the same without it. Every page reads one snapshot and names its size.
"""
