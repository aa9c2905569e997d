"""Receipts on paper: a PDF that carries the proof file inside it.

::

    receipt (.tlog-proof) ── verified again ──► paper.Paper ──► typesetting ──► PDF/A-3
                                what it says,     plain values    typst, the      the same
                                names of codes,   of one page     template and    receipt is
                                amounts in words                  two fonts       attached

The proof file is what proves; the page tells people what it says, and whoever has the
PDF has the file. The same receipt gives the same bytes. Typesetter and fonts are the
extra ``receipts``; without them everything else works, and a PDF is answered with what
to install (ADR 25).
"""
