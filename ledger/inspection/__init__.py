"""The inspection: everything stored is read again and compared, little by little, for ever.

A disk loses bits without telling anybody. What is read for a proof is compared as it is read
(``fitting``); what nobody asks for, and the figures that follow from the entries, are looked at
here, by a thread of the service at a named rate: ``slices`` says what one step compares,
``inspector`` takes the steps, and once in a while has the whole audit run in a process of its own
at the lowest priority. What is found holds the data folder (``holds.DAMAGED``): nothing more
is recorded, and the figures are not shown, until a person has repaired it.
"""

from ledger.inspection.inspector import Inspector, Pace, Standing

__all__ = ["Inspector", "Pace", "Standing"]
