"""Lists of gifts on their way from a file to the log, across restarts.

::

    upload ──► reading ──► planned ──► waiting ──► recording ──► done
                  │           │           │             │
                  ▼           ▼           ▼             ▼
               unread     withdrawn    rejected      stopped ──► recording
                                       (expired)

``job`` is one import and its states; ``desk`` keeps imports in a folder, encrypted under the
vault's key; ``worker`` reads and records in the background, and takes up after a restart what
was begun. The pages are ``api.pages.staff.importing``. Why so: docs/adr/0033.
"""
