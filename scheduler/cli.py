"""The command line: `raygrad serve`, `plan`, `show`, `demo`, `doctor`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raygrad.proto.errors import ConfigurationError, DocumentError, RaygradError
from raygrad.proto.messages import SessionOptions

from .config import Settings, load

HELP = """Exact gradients of tensor graphs, computed on Ray workers.

A server holds the workers; clients send it graphs and mini-batches, and take gradients back:

    raygrad serve       # a server on this machine, with two workers
    python train.py     # rg.connect("127.0.0.1:50051", graph)

`raygrad COMMAND --help` explains each command with examples.
"""
SERVE_HELP = """Serve graphs until SIGTERM or Ctrl-C, which let running work end first.

Prints one line when clients can connect, with the address; logs go to standard error.

    raygrad serve                               # two workers, this machine only
    raygrad serve --workers 4 --backend numpy   # four workers, without PyTorch
    raygrad serve --ray none --listen 127.0.0.1:0       # no Ray, and any port

    # for other machines:
    raygrad serve --listen 0.0.0.0:50051 --token-file token \\
        --tls-cert server.pem --tls-key server.key

Every option may also stand in the environment (`RAYGRAD_WORKERS=4`) or in a TOML file given by `--config`
(`workers = 4`); the command line comes first, then the environment, then the file.
"""
PLAN_HELP = """Print how a graph would be spread over workers, with the times that are predicted.

DOCUMENT is a file with a graph: `Path("net.raygrad").write_bytes(rg.encode(builder))`. The kernels
are measured on this machine, the transfers taken as those of Ray.

    raygrad plan net.raygrad --size N=64        # the named size N is 64
    raygrad plan net.raygrad --size N=64 --workers 4 --stages 2 --svg plan.svg
"""
# Typer takes the indentation that all lines behind "DOCUMENT …" share away: one of them must be prose.
SHOW_HELP = """Show a graph: a table of its layers, what each makes and costs, what it sees of the inputs.

DOCUMENT is a file with a graph, as for `raygrad plan`.
Sizes that are not given stay names: 1.5 K·N.

    raygrad show net.raygrad --size N=64
    raygrad show net.raygrad --code                     # typed code, a line for each node
    raygrad show net.raygrad --gradients --svg net.svg  # a picture, of the backward pass too
"""
DEMO_HELP = """Train a network on handwritten digits: a server with two workers here, and a client beside it.

The network is a LeNet, the digits 5,000 of the MNIST database, 4,000 to train on and 1,000 to test with.
Shows the plan and the progress, and ends with the test accuracy: exit status 0 if it is at least 97 %.
Needs the extra `demo`.

    raygrad demo
    raygrad demo --seed 1 --workers 4 --svg plan.svg
"""
DOCTOR_HELP = """Show what is installed here, and what a server would use.

    raygrad doctor
"""

app = typer.Typer(name="raygrad", help=HELP, no_args_is_help=True, rich_markup_mode="markdown")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"raygrad {version('raygrad')}")
        raise typer.Exit


@app.callback()
def _options(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def _setting(name: str, *flags: str) -> Any:
    """An option whose help is that of the setting."""
    return typer.Option(*flags, help=Settings.model_fields[name].description, show_default=False)


@app.command(help=SERVE_HELP)
def serve(
    config: Annotated[Path | None, typer.Option(help="a TOML file with settings")] = None,
    listen: Annotated[str | None, _setting("listen")] = None,
    ray: Annotated[str | None, _setting("ray")] = None,
    workers: Annotated[int | None, _setting("workers")] = None,
    backend: Annotated[str | None, _setting("backend")] = None,
    gpus_per_worker: Annotated[float | None, _setting("gpus_per_worker")] = None,
    join_seconds: Annotated[float | None, _setting("join_seconds")] = None,
    token_file: Annotated[Path | None, _setting("token_file")] = None,
    tls_cert: Annotated[Path | None, _setting("tls_cert")] = None,
    tls_key: Annotated[Path | None, _setting("tls_key")] = None,
    insecure: Annotated[bool | None, _setting("insecure", "--insecure")] = None,
    metrics_port: Annotated[int | None, _setting("metrics_port")] = None,
    drain_seconds: Annotated[float | None, _setting("drain_seconds")] = None,
    idle_seconds: Annotated[float | None, _setting("idle_seconds")] = None,
    log_level: Annotated[str | None, _setting("log_level")] = None,
) -> None:
    """Serve graphs until a signal."""
    given = {name: value for name, value in locals().items() if name != "config"}
    settings = load(config, **given)
    _log_to_stderr(settings.log_level)
    from raygrad.workers.allocator import keep_freed_memory

    from .opening import opened  # what comes with the server need not slow `--help` down
    from .server import run

    keep_freed_memory()  # every mini-batch passes through the same large blocks
    with opened(settings) as scheduler:
        asyncio.run(run(scheduler, settings, lambda address: _say_ready(address, settings)))


def _say_ready(address: str, settings: Settings) -> None:
    workers = f"{settings.workers} worker{'s' if settings.workers > 1 else ''}"
    sys.stdout.write(f"raygrad {version('raygrad')} ready at {address} ({workers}, ray: {settings.ray})\n")
    sys.stdout.flush()


@app.command(help=PLAN_HELP)
def plan(
    document: Annotated[Path, typer.Argument(help="a file with a graph", dir_okay=False)],
    size: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER for a named size; repeat it")] = None,
    workers: Annotated[int, typer.Option(min=1, help="how many workers there are")] = 2,
    stages: Annotated[int | None, typer.Option(help="cut the graph into this many stages")] = None,
    replicas: Annotated[int | None, typer.Option(help="this many replicas share the mini-batches")] = None,
    loss: Annotated[str, typer.Option(help="the scalar output whose gradients are taken")] = "loss",
    backend: Annotated[str, typer.Option(help="what the workers compute with")] = "auto",
    svg: Annotated[
        Path | None, typer.Option(help="draw the graph, coloured by stage, into this file")
    ] = None,
) -> None:
    """Print a partition."""
    options = SessionOptions(loss=loss, stages=stages, replicas=replicas)
    from .prediction import predict

    with _named(document):
        found = predict(_read(document), _sizes(size or []), options, workers, backend)
    typer.echo(str(found))
    if svg is not None:
        _write(svg, found.svg)
        typer.echo(f"drawn in {svg}")


@app.command(help=SHOW_HELP)
def show(
    document: Annotated[Path, typer.Argument(help="a file with a graph", dir_okay=False)],
    size: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER for a named size; repeat it")] = None,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="with the backward pass of the loss")
    ] = False,
    loss: Annotated[str, typer.Option(help="the scalar output that --gradients differentiates")] = "loss",
    code: Annotated[bool, typer.Option("--code", help="print typed code instead of the table")] = False,
    svg: Annotated[Path | None, typer.Option(help="draw the graph into this file")] = None,
    dot: Annotated[Path | None, typer.Option(help="write it in the language of Graphviz")] = None,
) -> None:
    """Print a graph."""
    from raygrad.proto.codec import decode

    with _named(document):
        graph = decode(_read(document))
    graph = graph.with_gradients(loss) if gradients else graph
    graph = graph.bind(_sizes(size)) if size else graph
    typer.echo(str(graph if code else graph.summary()))
    for path, drawn in ((svg, graph.svg), (dot, graph.dot)):
        if path is not None:
            _write(path, drawn())
            typer.echo(f"drawn in {path}")


@contextlib.contextmanager
def _named(document: Path) -> Iterator[None]:
    """An error of the document says which file it is in."""
    try:
        yield
    except DocumentError as exc:
        raise ConfigurationError(f"{document} holds no graph as `rg.encode` writes it: {exc}") from exc


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be written: {exc.strerror}") from exc


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror}") from exc


def _sizes(given: list[str]) -> dict[str, int]:
    """NAME=NUMBER as a mapping."""
    found = {}
    for each in given:
        name, _, number = each.partition("=")
        if not name or not number.isdecimal():
            raise ConfigurationError(f"--size wants NAME=NUMBER, got {each!r}")
        found[name] = int(number)
    return found


@app.command(help=DEMO_HELP)
def demo(
    seed: Annotated[int, typer.Option(help="of the parameters, the order and the shifts of the digits")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="times through the digits")] = None,
    workers: Annotated[int, _setting("workers")] = 2,
    backend: Annotated[str, _setting("backend")] = "auto",
    svg: Annotated[Path, typer.Option(help="draw the graph, coloured by stage, into this file")] = Path(
        "plan.svg"
    ),
) -> None:
    """Run a server and a client."""
    from .demo import demonstrate

    client = ["--seed", str(seed), "--svg", str(svg), *(["--epochs", str(epochs)] if epochs else [])]
    raise typer.Exit(demonstrate(["--workers", str(workers), "--backend", backend], client))


@app.command(help=DOCTOR_HELP)
def doctor() -> None:
    """Report what is there."""
    from .doctor import examine

    table = Table(box=None, show_header=False)
    for finding in examine():
        table.add_row("✓" if finding.ok else "–", finding.what, escape(finding.found))
    Console().print(table)


def _log_to_stderr(level: str) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """The entry point: our errors are one line on standard error, and exit status 1."""
    try:
        app()
    except RaygradError as exc:
        sys.stderr.write(f"raygrad: {exc}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
