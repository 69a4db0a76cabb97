"""The command line. Exit status: 0 if the run is whole, 2 for a wrong setting or bad input, 128 and
its number for a signal, 1 for anything else."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import socket
import sys
import time
import warnings
from errno import ENAMETOOLONG
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lisor.errors import (
    ConfigError,
    DataError,
    DataWarning,
    LisorError,
    ServerError,
    StoreWarning,
    one_line,
    show,
)
from lisor_flows import config as config_commands
from lisor_flows import server, stopping
from lisor_flows import store as store_commands
from lisor_flows.configs import read_config
from lisor_flows.terminal import Commands, OutputClosedError, OutputError, standard_streams

if TYPE_CHECKING:
    from lisor.settings.experiment import Experiment

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # else text in brackets is read as markup and left out
)

app.add_typer(config_commands.app, name="config")
app.add_typer(store_commands.app, name="store")

MLFLOW_PORT = 5000

AUTOMATON = "JSON, as runs leave it in automata/, or .dot (Graphviz, AALpy) or .jff (JFLAP)."

OUT = "Folder of the report, new, empty or of a former one [LISOR_HOME/reports/<name>/<key>]."

EXTRACTION = {
    "clustering": {"k": [2, 16]},
    "extraction": {"rules": ["majority", "dynamics", "refined"]},
}
"""The settings for an external network, unless a config says otherwise."""

LOADED_AHEAD = (
    "torch",
    "lisor.networks.training",
    "lisor.clustering.clustering",
    "lisor.evaluation.evaluation",
    "lisor.report.embedding",
)
"""Modules that take seconds to load and that nearly every run needs that computes something."""

GC_THRESHOLDS = (20_000, 10, 50)
"""Thresholds of Python's garbage collection: libraries make a million objects that live as long as
the process, and at the defaults a run searches them twenty times, which takes seconds."""

CLOSED = 141
"""The exit status if the reader of standard output has closed it: 128 + SIGPIPE."""


@app.callback()
def lisor() -> None:
    """Train recurrent networks, extract finite state automata from them, and measure how faithful
    they are."""
    _set_environment()


@app.command()
def run(
    config: config_commands.Config,
    changes: config_commands.Changes = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be computed, and why.")
    ] = False,
) -> None:
    """Run an experiment: what is already computed is taken from the store."""
    _run(read_config(config, changes or []), out, only_plan=only_plan)


@app.command()
def extract(
    network: Annotated[
        str, typer.Option(help="package.module:build, a callable that makes your network.")
    ],
    data: Annotated[
        Path, typer.Option(help="CSV, TSV or Parquet with the column symbols (and label, split).")
    ],
    weights: Annotated[
        Path | None, typer.Option(help="Its weights: .safetensors, or a saved state dict.")
    ] = None,
    alphabet: Annotated[
        str | None,
        typer.Option(
            help="The symbols in the network's order: characters, or a file of lines [sorted]."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of its classes in order, with commas.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="Settings of clustering, extraction and so on.")
    ] = None,
    changes: config_commands.Changes = None,
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
) -> None:
    """Extract automata from a network of your own, with all outputs of a run: table, report,
    MLflow."""
    from lisor.settings.reading import override
    from lisor.settings.symbols import SymbolsSettings

    settings = (
        {**EXTRACTION, "name": SymbolsSettings(symbols=str(data)).name}
        if config is None
        else read_config(config)
    )
    order = None if alphabet is None else _read_alphabet(alphabet)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    settings["datasets"] = [{"symbols": str(data), "order": order, "classes": names}]
    settings["models"] = {"build": network, "weights": None if weights is None else str(weights)}
    # the working folder, and last: none of its modules hides another
    sys.path.append(str(Path.cwd()))
    _run(override(settings, changes or []), out)


def _check_unicode(*arguments: object) -> None:
    """Check that pages and records can hold the arguments, unlike a file name in Latin-1.

    Raises:
        ConfigError: an argument cannot be written as UTF-8."""
    for argument in map(str, arguments):
        if argument.encode(errors="ignore").decode() != argument:
            raise ConfigError(f"expected Unicode text, got {show(argument)}; give another name")


def _read_alphabet(alphabet: str) -> list[str]:
    """The symbols of a file, one on each line, or else the characters themselves."""
    from lisor.files import read_text, reason, shorten

    path = Path(alphabet)
    try:
        if not path.exists() or path.is_dir():
            return list(alphabet)
        return read_text(path).splitlines()
    except (OSError, ValueError) as error:
        why = f"{reason(error)}; give a file with a symbol a line"
        raise DataError(f"the alphabet in {shorten(path)} cannot be read: {why}") from None


def _run(settings: dict[str, Any], out: Path | None, *, only_plan: bool = False) -> None:
    """Run an experiment and print its summary, or only plan it."""
    from lisor.settings.experiment import Experiment
    from lisor.settings.memory import check_fits

    plan = Experiment(**settings)
    check_fits(plan)
    _check_unicode(out)
    with stopping.ending_at_once():
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        )

        from lisor_flows.pipeline import plan_pipeline
        from lisor_flows.runners import find_runner
        from lisor_flows.sources import find_sources
        from lisor_tasks.artifacts import open_store
        from lisor_tasks.caching import load_ahead
        from lisor_tasks.published import check_out
        from lisor_tasks.register import registered

        if out is not None:
            check_out(out.absolute())
        for study in plan.studies:
            find_sources(study)  # before anything starts: a missing file should not take a minute
        if only_plan:
            print(plan_pipeline(plan))
            return
        _set_logging()
        find_runner(plan)  # a missing extra should not take a minute either
        url = PREFECT_API_URL.value()
        if url:
            server.check_answers(url)
            _conclude(_run_flow(plan, out))
            return
        temporary = server.TemporaryServer(open_store())
        known = any(kept.startswith(f"{plan.name}/") for kept in registered())
        if plan.runner == "threads" and not known:  # else most comes from the cache
            load_ahead(*LOADED_AHEAD)
        temporary.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
        with server.serving(temporary.url):
            _conclude(_run_flow(plan, out))


def _run_flow(plan: Experiment, out: Path | None) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        ServerError: Prefect's server went away before the run was whole."""
    import httpx

    from lisor_flows.pipeline import run_pipeline

    try:
        return run_pipeline(plan, None if out is None else str(out))
    except httpx.HTTPError as error:
        reason = one_line(str(error), 120) or type(error).__name__
        raise ServerError(
            f"Prefect's server answers no more ({reason}); what was finished is kept: "
            "run again when it is back"
        ) from error


@app.command()
def predict(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    data: Annotated[
        Path,
        typer.Option(
            help="CSV, TSV or Parquet with a column text, symbols or series, or a .txt of lines."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .parquet file [CSV to the terminal].")
    ] = None,
) -> None:
    """Run an automaton: class, final state and path of each sequence of a file without labels."""
    from lisor.automata.formats.reading import read_automaton
    from lisor.automata.prediction import csv_writer, schema_of, writer
    from lisor.automata.prediction import predict as predict_all
    from lisor.data.streams import Rows, columns_of, read_rows, stream_rows
    from lisor.files import check_writable

    if out is not None:
        check_writable(out, automaton, data)
    reader = read_automaton(automaton)
    rows = symbols = 0
    spent = {"cutting texts into symbols": 0.0, "running the automaton and writing": 0.0}
    batches = stream_rows(data, columns_of(reader.alphabet))
    first: Rows = next(batches, [])  # before anything is written: a bad file leaves no output
    with csv_writer(sys.stdout.buffer) if out is None else writer(out, schema_of(reader)) as write:
        for raw in chain([first], batches):
            started = time.perf_counter()
            sequences = read_rows(reader.alphabet, raw, rows + 1)
            cut = time.perf_counter()
            write(predict_all(reader, sequences))
            spent["cutting texts into symbols"] += cut - started
            spent["running the automaton and writing"] += time.perf_counter() - cut
            rows += len(sequences)
            symbols += len(sequences.symbols)
    times = ", ".join(f"{seconds:.1f} s {what}" for what, seconds in spent.items())
    print(f"lisor: {rows:,} sequences of {symbols:,} symbols; {times}", file=sys.stderr)


@app.command()
def explain(
    run: Annotated[
        str, typer.Option(help="A report folder, or a finished run: NAME, or NAME/KEY.")
    ],
    text: Annotated[str | None, typer.Option(help="A text to explain.")] = None,
    word: Annotated[
        str | None, typer.Option(help="A word of a language to explain, such as 0110.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Which dataset's network [the first that fits].")
    ] = None,
    cell: Annotated[str | None, typer.Option(help="Which cell's network [the first].")] = None,
    trial: Annotated[int, typer.Option(help="Which of its trials.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="An .html file [explanations/ beside the report].")
    ] = None,
) -> None:
    """Explain one sequence step by step: states of the automaton, class probabilities of the
    network, and attributions."""
    _check_unicode(text, word, dataset, cell, out)
    from lisor_flows.explain import explain as explain_sequence

    explain_sequence(run, text, word, dataset, cell, trial, out)


@app.command()
def export(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    form: Annotated[
        str, typer.Option("--format", help="json, dot, aalpy, jff, regex, python, c or onnx.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="A file, written over [to the terminal].")
    ] = None,
) -> None:
    """Write an automaton in another format: for another program, or as a program of its own."""
    from lisor.automata.formats.reading import read_automaton
    from lisor.automata.formats.writing import export as write
    from lisor.files import check_writable, writing

    if out is not None:
        check_writable(out, automaton)
    content = write(read_automaton(automaton), form)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with writing(out) as file:
        file.write(content)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = MLFLOW_PORT,
) -> None:
    """Show the runs of this store in MLflow, on this computer only."""
    from lisor_tasks.artifacts import open_store
    from lisor_tasks.register import registered
    from lisor_tasks.tracked import ARTIFACTS, DATABASE, tracking_uri, uses_own_database

    store = open_store()
    uri = tracking_uri(store.home)
    _check_free(port)
    if uses_own_database(store.home):
        if not (store.home / DATABASE).exists() and not registered():
            raise ConfigError(
                f"there is no run to show in {store.home}; run first: lisor run quickstart"
            )
        from lisor_tasks.tracking import own_database

        _set_logging()
        with own_database(store):
            # a relative path: an absolute one may have a question mark, which ends an address
            uri = f"sqlite:///{DATABASE}"
        os.chdir(store.home)
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--backend-store-uri": uri,
        "--default-artifact-root": (store.home / ARTIFACTS).as_uri(),
    }
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *chain(*options.items())])


def _check_free(port: int) -> None:
    """Check that a server can listen at a port: MLflow's own message has fifty lines.

    Raises:
        ConfigError: another program has the port, or this user may not use it."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            reason = f"{error.strerror}; give another with --port"
            raise ConfigError(f"port {port} of 127.0.0.1 cannot be used: {reason}") from None


@app.command()
def track(run: Annotated[str, typer.Argument(help="A finished run: NAME, or NAME/KEY.")]) -> None:
    """Log a finished run to MLflow, unless it is there: a run does so itself, unless MLflow is
    away."""
    from lisor_tasks.register import look_up
    from lisor_tasks.tracking import track
    from lisor_tasks.tracking_server import WHEN_ASKED

    _set_logging()
    experiment, tracked = track.fn(look_up(run), WHEN_ASKED)
    print(f"lisor: {run} is run {tracked} of experiment {experiment} in MLflow", file=sys.stderr)


def main() -> None:
    """The console script `lisor`."""
    with standard_streams():
        _main()


def _main() -> NoReturn:
    gc.set_threshold(*GC_THRESHOLDS)
    atexit.register(gc.freeze)  # else all live objects are searched once more at the end
    try:
        with stopping.raising():
            status = app(standalone_mode=False)
            sys.stdout.flush()
    except stopping.Stopped as stopped:
        print(stopping.LINE, file=sys.stderr)
        sys.exit(stopped.status)
    except OutputClosedError:
        sys.exit(CLOSED)
    except LisorError as error:
        _end(2, str(error))
    except Exception as error:
        if hasattr(error, "format_message"):  # click's errors of the command line
            _end(2, error.format_message() or "expected a command, one of those above")
        if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
            _end(2, f"no file has a name as long as {show(error.filename)}")
        raise
    sys.exit(status)


def _end(status: int, message: str) -> NoReturn:
    print(one_line(f"lisor: {message}"), file=sys.stderr)
    sys.exit(status)


def _set_environment() -> None:
    """Set defaults of Prefect and MLflow, which have to be imported later; the user's own values
    stay."""
    home = Path(os.environ.get("LISOR_HOME") or Path(".lisor").absolute())
    os.environ["LISOR_HOME"] = str(home)
    defaults = {
        **server.default_home(home.absolute()),
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # TaskQueue shows the progress
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # with the default of 7 it takes minutes to give up on a server that is away
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # the folder is made when it is needed
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    server.keep_proxies_from_loopback()


def _set_logging() -> None:
    """Print each warning about data or the store once, as one plain line."""
    printed: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        if not issubclass(category, (DataWarning, StoreWarning)):
            logging.getLogger("py.warnings").debug("%s", message)
        elif str(message) not in printed:
            printed.add(str(message))
            print(one_line(f"lisor: note: {message}"), file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]


def _conclude(summary: dict[str, Any]) -> None:
    """Print the summary of a run, which is whole even if it cannot be printed."""
    try:
        _show(summary)
        sys.stdout.flush()
    except OutputError as error:
        note = f"lisor: note: the run is whole, but its table is not shown: {error}"
        print(one_line(note), file=sys.stderr)


def _show(summary: dict[str, Any]) -> None:
    """Print the table of selected automata and the places of the outputs."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from lisor.report.tables import SummaryRow, summarize

    folder = Path(summary["out"])
    table = Table(
        *SummaryRow.HEADINGS,
        title="selected automata on the test set, mean ± 95 % interval over trials",
    )
    for row in summarize(pd.read_parquet(folder / "results.parquet")):
        table.add_row(*row.cells())
    console = Console(
        width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, soft_wrap=True
    )
    console.print(table)
    mlflow = f"run: lisor ui, then open http://127.0.0.1:{MLFLOW_PORT}"
    lines = [
        *(f"failed   {failure}" for failure in summary["failed"]),
        *(f"not explained: {network}" for network in summary["unexplained"]),
        _describe_cache(summary["tasks"]),
        f"report   {folder / 'report.html'}",
        f"results  {folder / 'results.parquet'}",
        f"MLflow   {summary['mlflow'].get('error', mlflow)}",
    ]
    if "prefect" in summary:
        lines.append(f"Prefect  {summary['prefect']['error']}")
    for line in lines:
        console.print(line)


def _describe_cache(tasks: dict[str, Any]) -> str:
    total = tasks["run"] + tasks["from_cache"]
    if tasks["run"] == 0:
        return f"all {total} tasks were answered from the cache: nothing was trained"
    ran = f"{tasks['run']} run ({tasks['trained']} of them training)"
    return f"{total} tasks: {ran}, {tasks['from_cache']} from the cache"


if __name__ == "__main__":
    main()
