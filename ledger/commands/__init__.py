"""The subcommands of ``shanji``, one module each; ``cli`` lists them.

A command imports what it needs when it runs, so that ``shanji verify`` works in a
plain install without the server's packages. Data goes to stdout, everything else to
stderr; the exit codes are `cli.EXIT_CODES`.
"""
