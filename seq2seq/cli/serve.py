"""`seq2seq serve`: the app in a browser and its API.

It knows an address and a port; everything that answers there is `seq2seq.web`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from seq2seq.cli import errors, shell
from seq2seq.cli.shell import app


@app.command()
def serve(
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MODEL]...", help="Model or run folders. Default: the model that ships."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 is every address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in this machine's browser.")] = False,
    memory: Annotated[
        Path | None, typer.Option("--memory", help="A file in which corrections are remembered; made if not there.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Seconds until an answer must begin.")
    ] = 60,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", help="Requests a minute for each client. Default: as many as it likes."),
    ] = None,
    proxy: Annotated[
        bool, typer.Option("--proxy", help="A proxy stands before the server; X-Forwarded-For names the clients.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="A file of tokens, one a line, of which clients must send one.")
    ] = None,
    log: Annotated[
        Literal["quiet", "json"], typer.Option("--log", help="json writes a line on stderr for each request.")
    ] = "quiet",
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes that answer.")] = 1,
    engine: shell.Engine = "litert",
    threads: shell.Threads = None,
) -> None:
    """Serve the app in a browser, and its API. Of several models the first is loaded at once. Ctrl-C ends it."""
    from seq2seq.web import service
    from seq2seq.web.rules import Rules

    keys = None
    if token_file is not None:
        from seq2seq.web.keys import Keys

        keys = Keys.read(token_file)
    rules = Rules(timeout=timeout, rate=rate, proxy=proxy, keys=keys, json_log=log == "json", workers=workers)
    if engine == "tensorflow" and workers == 1:
        shell.import_tensorflow()
    try:
        service.serve(
            *(models or ()),
            host=host,
            port=port,
            open_browser=open_browser,
            engine=engine,
            threads=threads,
            memory=memory,
            rules=rules,
        )
    except KeyboardInterrupt:  # the way to end a server; there is nothing to be said about it
        raise typer.Exit(errors.INTERRUPTED) from None
