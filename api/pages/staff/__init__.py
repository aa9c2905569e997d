"""The pages of who works here: sign in, record, approve, look what waits.

::

    sign_in ──► today ──► record (any kind, from its schema) ──► recorded (entry, receipt)
                     ├──► gift, payment, goods, points: the same forms, laid out for the day
                     ├──► proposals: approve, reject
                     └──► receipts: print many

Every page needs a session (``api.sessions``) and is of one person: no cache keeps it. Every
form works without JavaScript, carries the session's CSRF token and an idempotency key, so
that a repeated tap does nothing twice.
"""
