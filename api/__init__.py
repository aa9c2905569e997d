"""The service: what the ledger offers, over HTTP.

    settings → create_app (app) → edge → routes → one call of the ledger → an answer

Routes parse, call the ledger once and shape the answer; rules live in ``ledger``.
Errors of the ledger become problems (RFC 9457) in one table, ``problems``. Importing
this package imports nothing.
"""
