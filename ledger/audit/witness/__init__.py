"""A witness: an independent program that cosigns a log's checkpoints (c2sp.org/tlog-witness).

``key`` holds its private key, ``state`` what it has cosigned and seen, ``judge`` decides
about one request, ``app`` answers over HTTP. It knows no log of ours: any C2SP log may
use it, and ``shanji witness serve`` runs it without the server's database.
"""
