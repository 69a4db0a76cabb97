"""The command line. Exit status: 0 when the run is whole, 2 for a wrong setting or bad input, 128 and its number for a
signal, 1 for anything else."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import time
import warnings
from errno import ENAMETOOLONG
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lisor.errors import ConfigError, DataError, DataWarning, LisorError, ServerError, StoreWarning
from lisor_flows import server, stopping
from lisor_flows import store as store_commands

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(store_commands.app, name="store")

MLFLOW_PORT = 5000

AUTOMATON = "JSON, as runs leave it in automata/, or .dot (Graphviz, AALpy) or .jff (JFLAP)."

EXTRACTION = {
    "clustering": {"k": [2, 16]},
    "extraction": {"rules": ["majority", "dynamics", "refined"]},
}
"""What is done with a network that is brought along, unless a config says otherwise."""

HEAVY = ("torch", "lisor.rnn.training", "lisor.fsa.clustering", "lisor.fsa.evaluation", "lisor.report.plane")
"""What takes seconds to load and nearly every run needs that computes something."""

SELDOM = (20_000, 10, 50)
"""How seldom garbage is looked for: libraries make a million objects that live as long as the process, and at Python's
own thresholds a run searches them twenty times, which takes seconds."""


@app.callback()
def lisor() -> None:
    """Train recurrent networks, read finite state automata off them, and measure how faithful they are."""
    _set_environment()


@app.command()
def run(
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of one in configs/ without its ending.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report [LISOR_HOME/reports/<name>].")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Only say what would be computed, and why.")] = False,
) -> None:
    """Run an experiment: what is already computed is taken from the store."""
    from lisor.settings import load

    _run(load(find_config(config), changes or []), out, only_plan=only_plan)


@app.command()
def extract(
    network: Annotated[str, typer.Option(help="package.module:build, a callable that makes your network.")],
    data: Annotated[Path, typer.Option(help="CSV, TSV or Parquet with the column symbols (and label, split).")],
    weights: Annotated[Path | None, typer.Option(help="Its weights: .safetensors, or a saved state dict.")] = None,
    alphabet: Annotated[
        str | None, typer.Option(help="The symbols in the network's order: signs, or a file of lines [sorted].")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Names of its classes in order, with commas.")] = None,
    config: Annotated[str | None, typer.Option(help="Settings of clustering, extraction and so on.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report [LISOR_HOME/reports/<name>].")] = None,
) -> None:
    """Extract automata from a network of your own, with all that a run leaves: table, report, MLflow."""
    from lisor.config import DatasetConfig
    from lisor.settings import load, override

    settings = (
        {**EXTRACTION, "name": DatasetConfig(symbols=str(data)).name} if config is None else load(find_config(config))
    )
    order = None if alphabet is None else _read_alphabet(alphabet)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    settings["datasets"] = [{"symbols": str(data), "order": order, "classes": names}]
    settings["models"] = {"build": network, "weights": None if weights is None else str(weights)}
    sys.path.append(str(Path.cwd()))  # where the user stands, and last: none of its modules hides another
    _run(override(settings, changes or []), out)


def _read_alphabet(alphabet: str) -> list[str]:
    """The symbols of a file, one on each line, or else the signs themselves."""
    path = Path(alphabet)
    if not path.is_file():
        return list(alphabet)
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the alphabet in {path} cannot be read: {error}; give a file with a symbol a line") from None


def _run(settings: dict[str, Any], out: Path | None, *, only_plan: bool = False) -> None:
    """Run an experiment and say what came of it, or only plan it."""
    from lisor.settings import experiment

    plan = experiment(settings)
    with stopping.ending_at_once():
        from lisor_tasks.artifacts import check_folder, open_store
        from lisor_tasks.caching import load_ahead
        from lisor_tasks.register import registered
        from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS

        from lisor_flows.pipeline import find_sources, plan_pipeline
        from lisor_flows.runners import find_runner

        if out is not None:
            check_folder(out.absolute())
        for study in plan.studies:
            find_sources(study)  # before anything starts: a missing file should not cost a minute
        if only_plan:
            print(plan_pipeline(plan))
            return
        _set_logging()
        find_runner(plan)  # a missing extra should not cost a minute either
        given = PREFECT_API_URL.value()
        if given:
            server.check_answers(given)
            _conclude(_run_flow(settings, out))
            return
        temporary = server.TemporaryServer(open_store())
        if plan.runner == "threads" and plan.name not in registered():  # else most comes from the cache
            load_ahead(*HEAVY)
        temporary.wait(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
        with server.serving(temporary.url):
            _conclude(_run_flow(settings, out))


def _run_flow(settings: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        ServerError: Prefect's server went away before the run was whole."""
    import httpx

    from lisor_flows.pipeline import run_pipeline

    try:
        return run_pipeline(settings, None if out is None else str(out))
    except httpx.HTTPError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ServerError(
            f"Prefect's server answers no more ({reason[:120]}); what was finished is kept: run again when it is back"
        ) from error


@app.command()
def predict(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    data: Annotated[
        Path, typer.Option(help="CSV, TSV or Parquet with a column text (or series), or a .txt file of lines.")
    ],
    out: Annotated[Path | None, typer.Option(help="A .csv or .parquet file [CSV to the terminal].")] = None,
) -> None:
    """Run an automaton: class, final state and path of each sequence of a file without labels."""
    from lisor.data.streams import stream_texts
    from lisor.fsa.formats.reading import read_automaton
    from lisor.fsa.prediction import csv_writer, reader, writer
    from lisor.fsa.prediction import predict as predict_all

    machine = read_automaton(automaton)
    read = reader(machine)
    rows = symbols = 0
    spent = {"cutting texts into symbols": 0.0, "running the automaton and writing": 0.0}
    batches = stream_texts(data, "text" if machine.quantizer is None else "series")
    first = next(batches, [])  # before anything is written: a bad file should leave nothing behind
    with csv_writer(sys.stdout.buffer) if out is None else writer(out) as write:
        for texts in chain([first], batches):
            started = time.perf_counter()
            words = [read(text) for text in texts]
            cut = time.perf_counter()
            write(predict_all(machine, words))
            spent["cutting texts into symbols"] += cut - started
            spent["running the automaton and writing"] += time.perf_counter() - cut
            rows += len(words)
            symbols += sum(map(len, words))
    told = ", ".join(f"{seconds:.1f} s {what}" for what, seconds in spent.items())
    print(f"lisor: {rows:,} sequences of {symbols:,} symbols; {told}", file=sys.stderr)


@app.command()
def explain(
    run: Annotated[str, typer.Option(help="A report folder, or the name of a finished run.")],
    text: Annotated[str | None, typer.Option(help="A text to explain.")] = None,
    word: Annotated[str | None, typer.Option(help="A word of a language to explain, such as 0110.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Which data set's network [the first that fits].")] = None,
    cell: Annotated[str | None, typer.Option(help="Which cell's network [the first].")] = None,
    trial: Annotated[int, typer.Option(help="Which of its trials.")] = 0,
    out: Annotated[Path | None, typer.Option(help="An .html file [explanations/ beside the report].")] = None,
) -> None:
    """Explain one sequence: the automaton's states, the network's mind and what counts, step by step."""
    from lisor_flows.explain import explain as explain_sequence

    explain_sequence(run, text, word, dataset, cell, trial, out)


@app.command()
def export(
    automaton: Annotated[Path, typer.Option(help=AUTOMATON)],
    form: Annotated[str, typer.Option("--format", help="json, dot, aalpy, jff, regex, python, c or onnx.")],
    out: Annotated[Path | None, typer.Option(help="A file, written over [to the terminal].")] = None,
) -> None:
    """Write an automaton in another format: for another program, or as a program of its own."""
    from lisor.exports import export as write
    from lisor.fsa.formats.reading import read_automaton

    content = write(read_automaton(automaton), form)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    try:
        fresh = out.with_name(f".{out.name}.{os.getpid()}")
        fresh.write_bytes(content)
        fresh.replace(out)
    except (OSError, ValueError) as error:  # the folder "." has no name
        raise DataError(f"{out} cannot be written: {error}; give another file with --out") from None


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = MLFLOW_PORT) -> None:
    """Show the runs of this store in MLflow, on this machine only."""
    from lisor_tasks.artifacts import open_store
    from lisor_tasks.register import registered
    from lisor_tasks.told import ARTIFACTS, DATABASE, tracking_uri, uses_own_database

    store = open_store()
    uri = tracking_uri(store.home)
    if uses_own_database(store.home):
        if not (store.home / DATABASE).exists() and not registered():
            raise ConfigError(f"there is no run to show in {store.home}; say first: lisor run quickstart")
        from lisor_tasks.tracking import own_database

        _set_logging()
        with own_database(store):
            uri = f"sqlite:///{DATABASE}"  # no path with a question mark can stand in an address
        os.chdir(store.home)
    place = (store.home / ARTIFACTS).as_uri()
    arguments = ["--backend-store-uri", uri, "--default-artifact-root", place]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), *arguments],
    )


@app.command()
def track(run: Annotated[str, typer.Argument(help="The name of a finished run, as in its settings.")]) -> None:
    """Show a finished run in MLflow, if it is not there yet: what a run does itself, unless MLflow is away."""
    from lisor_tasks.register import newest
    from lisor_tasks.tracking import track as tell
    from lisor_tasks.tracking_server import WHEN_ASKED

    _set_logging()
    experiment, found = tell.fn(newest(run), WHEN_ASKED)
    print(f"lisor: {run} is run {found} of experiment {experiment} in MLflow", file=sys.stderr)


def find_config(name: str) -> Path:
    """The settings file of that path, or of that name in configs/ here or beside the program.

    Raises:
        ConfigError: there is neither."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    here = Path(__file__).parent
    folders = [Path("configs"), here / "configs", here.parent.parent / "configs"]  # in a wheel, in a checkout
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise ConfigError(f"expected a settings file or one of {', '.join(known)}, got {name!r}")


def main() -> None:
    """The console script `lisor`."""
    gc.set_threshold(*SELDOM)
    atexit.register(gc.freeze)  # else all that lives is searched once more when the process ends
    try:
        with stopping.raising():
            status = app(standalone_mode=False)
    except stopping.Stopped as stopped:
        print(stopping.LINE, file=sys.stderr)
        sys.exit(stopped.status)
    except LisorError as error:
        _end(2, str(error))
    except Exception as error:
        if hasattr(error, "format_message"):  # a wrong use of the command line, in click's words
            _end(2, error.format_message() or "expected a command, one of those above")
        if isinstance(error, OSError) and error.errno == ENAMETOOLONG:
            _end(2, f"no file has a name as long as {error.filename}")
        raise
    sys.exit(status)


def _end(status: int, message: str) -> NoReturn:
    print(f"lisor: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


def _set_environment() -> None:
    """Defaults for Prefect and MLflow, to be set before they are imported; what the user has set stays."""
    home = Path(os.environ.get("LISOR_HOME") or Path(".lisor").absolute())
    os.environ["LISOR_HOME"] = str(home)
    defaults = {
        **server.default_home(home.absolute()),
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home.absolute() / "results"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # RunProgress tells what a person wants to know
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 take minutes until a server that is away is given up
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    # The folder of a store that is not there yet, or cannot be written: it is made when it is needed.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    server.keep_proxies_from_loopback()


def _set_logging() -> None:
    """A warning about the data is one plain line, however many tasks give it."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        if issubclass(category, (DataWarning, StoreWarning)):
            if str(message) in told:
                return
            told.add(str(message))
            print(f"lisor: note: {message}", file=sys.stderr)
        else:
            logging.getLogger("py.warnings").debug("%s", message)

    warnings.showwarning = show  # type: ignore[assignment]


def _conclude(summary: dict[str, Any]) -> None:
    """Show what came of a run, which is whole whether or not anybody can be shown it."""
    try:
        _show(summary)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        print(f"lisor: note: the run is whole, but its table cannot be shown: {error}", file=sys.stderr)


def _show(summary: dict[str, Any]) -> None:
    """The closing table, and where to look."""
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from lisor.report.tables import SummaryRow, summarize

    folder = Path(summary["out"])
    table = Table(*SummaryRow.HEADINGS, title="selected automata on the test set, mean ± 95 % interval over trials")
    for row in summarize(pd.read_parquet(folder / "results.parquet")):
        table.add_row(*row.cells())
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    console.print(_tell_cache(summary["tasks"]))
    console.print(f"report   {folder / 'report.html'}")
    console.print(f"results  {folder / 'results.parquet'}")
    missing = summary["mlflow"].get("error")
    console.print(f"MLflow   {missing or f'say: lisor ui, then open http://127.0.0.1:{MLFLOW_PORT}'}")
    if "prefect" in summary:
        console.print(f"Prefect  {summary['prefect']['error']}")


def _tell_cache(tasks: dict[str, Any]) -> str:
    total = tasks["run"] + tasks["from_cache"]
    if tasks["run"] == 0:
        return f"all {total} tasks were answered from the cache: nothing was trained"
    ran = f"{tasks['run']} run ({tasks['trained']} of them training)"
    return f"{total} tasks: {ran}, {tasks['from_cache']} from the cache"


if __name__ == "__main__":
    main()
