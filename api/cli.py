"""``shanji serve``, ``token``, ``correction`` and ``receipt``: the service's commands.

They come into the ``shanji`` command through the entry-point group ``shanji.commands``;
errors of the ledger end a command there, with the exit codes of ``ledger.cli``. The
server's packages are imported when a command runs, for the commands beside it do
without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.receipts_pdf.command import receipt
from ledger.commands.console import DATA_DEFAULT, Data, Lang, default_language

Config = Annotated[
    Path | None, typer.Option("--config", help="A TOML file with settings (or SHANJI_CONFIG).")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("serve")(serve)
    app.command("correction")(correction)
    app.command("receipt")(receipt)
    token = typer.Typer(help="Tokens: who may record, approve and look.", no_args_is_help=True)
    token.command("create")(create)
    token.command("list")(list_all)
    token.command("revoke")(revoke)
    app.add_typer(token, name="token")


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on [8000].")] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder (by default var).")] = None,
    database: Annotated[
        str | None, typer.Option(help="Like postgresql://user@host/name; else a file in the data.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="The log's name for ever; for the first start.")
    ] = None,
    organisation: Annotated[
        str | None, typer.Option(help="Whose log it is; for the first start.")
    ] = None,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Load the demonstration on the first start.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All 100,000 gifts of the demonstration's giving days.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option(help="A policy file: the witnesses to ask for cosignatures.")
    ] = None,
    require_witnesses: Annotated[
        int | None, typer.Option(help="Witnesses that must have cosigned before an answer [0].")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve the port [1].")] = None,
    config: Config = None,
) -> None:
    """Serve the log over HTTP; on the first start, make it."""
    from api.serving import run
    from api.settings import load_settings

    settings = load_settings(
        config,
        host=host,
        port=port,
        data=data,
        database=database,
        origin=origin,
        organisation=organisation,
        policy=policy,
        require_witnesses=require_witnesses,
        workers=workers,
    )
    run(settings, demonstration=demonstration, full=full)


def correction(
    index: Annotated[
        int, typer.Argument(min=0, help="A correction, or an entry that was corrected.")
    ],
    later_uses: Annotated[
        bool, typer.Option("--later-uses", help="What is undone before it can be reversed.")
    ] = False,
    data: Data = DATA_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the correction as JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Print the drafted notice (更正说明) of a correction, from the log alone."""
    import json

    from api.pages.corrections import (
        correction_json,
        correction_view,
        format_uses,
        later_uses_json,
    )
    from api.pages.texts import Translator
    from ledger.book import Book
    from ledger.correction import read_correction, read_later_uses

    translator = Translator(lang or default_language())
    book = Book.open(data)
    try:
        organisation = str(book.opened.fields["organisation"])
        with book.store.read() as reader:
            if later_uses:
                head = reader.head()
                found = read_later_uses(reader, index)
                value = later_uses_json(found, head.size if head else 0)
                text = format_uses(reader, index, translator)
            else:
                correcting = read_correction(reader, index).entry.index
                value = correction_json(reader, correcting, book.origin, organisation)
                view = correction_view(reader, correcting, book.origin, organisation, translator)
                text = "" if view is None else view.notice.as_text()
    finally:
        book.close()
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else text, nl=as_json)


def create(
    person: Annotated[str, typer.Argument(help="The person's pseudonymous id, like clerk-2.")],
    role: Annotated[
        str, typer.Argument(help="registrar, clerk, approver, warehouse, shop or auditor.")
    ],
    data: Data = DATA_DEFAULT,
) -> None:
    """Make a token for a person in a role, and print it; it is not shown again."""
    from api.auth import create_token, parse_role

    typer.echo(create_token(_folder(data), person, parse_role(role)))


def list_all(data: Data = DATA_DEFAULT) -> None:
    """List the tokens: id, person, role, when it was made."""
    from api.auth import list_tokens

    for grant in list_tokens(_folder(data)):
        typer.echo(f"{grant.id}\t{grant.person.id}\t{grant.person.role}\t{grant.created_at}")


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `shanji token list` shows it.")],
    data: Data = DATA_DEFAULT,
) -> None:
    """Take a token away; it stops working at once."""
    from api.auth import revoke_token

    grant = revoke_token(_folder(data), token_id)
    typer.echo(f"{grant.id}\t{grant.person.id}\t{grant.person.role}")


def _folder(data: Path) -> Path:
    """The data folder, if a log is in it: a token beside no log would help nobody.

    Raises:
        NotFoundError: no log there.
    """
    from ledger.book import Book
    from ledger.errors import NotFoundError

    if not Book.exists(data):
        raise NotFoundError(f"{data} holds no log; start the service there once, or give --data")
    return data
