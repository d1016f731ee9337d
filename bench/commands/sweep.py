"""The commands about sweeps: what one would take, its jobs, its tables, and queries of its results."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import Json
from bench.threads import use_one_thread

sweeps = typer.Typer(
    no_args_is_help=True,
    help="Sweeps over a design space: plan one here, run it by `snakemake sweep --config sweep=FILE`.",
)

CACHE = Path(".sweep-cache")
"""Where results are kept by content, in the working directory."""

CacheFolder = Annotated[Path, typer.Option("--cache", help="Folder of results by content; may be shared.")]
SweepFile = Annotated[Path, typer.Argument(help="A sweep file, as config/sweep.yaml.")]
Folder = Annotated[Path, typer.Argument(help="What a sweep wrote: OUT/sweep/NAME.")]
Memory = Annotated[int, typer.Option("--memory-mib", min=64, help="What the database may use.")]


class Format(StrEnum):
    """How the answer to a query is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(sweeps, name="sweep")
    example = (
        'Example: bench query reports/sweep/sweep "SELECT * FROM speedup_table WHERE fpgas = 16" --format csv'
    )
    app.command(epilog=example)(query)


@sweeps.command(epilog="Example: bench sweep plan config/sweep.yaml --cache /shared/sweeps")
def plan(file: SweepFile, cache: CacheFolder = CACHE, as_json: Json = False) -> None:
    """Say how many points and jobs a sweep has, what is in the cache, and roughly how long the rest takes."""
    from bench.commands import sweep_plan

    sweep_plan.show_plan(file, cache, as_json=as_json)


@sweeps.command(epilog="Example: bench sweep evaluate config/sweep-smoke.yaml 00000 out.parquet")
def evaluate(
    file: SweepFile,
    shard: Annotated[str, typer.Argument(help="A job, as `bench sweep plan` numbers them.")],
    output: Annotated[Path, typer.Argument(help="The Parquet file to write.")],
    cache: CacheFolder = CACHE,
) -> None:
    """Evaluate one job of a sweep; points that fail become rows with a reason."""
    use_one_thread()
    from bench.shards import show_progress
    from bench.sweeps.expand import load_sweep
    from bench.sweeps.shard import evaluate_shard
    from bench.sweeps.shards import find_shard

    sweep = load_sweep(file)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with show_progress(shard) as progress:
        counts = evaluate_shard(sweep, find_shard(sweep, shard), output, cache, say, progress)
    say(f"{shard}: {counts}")


@sweeps.command(epilog="Example: bench sweep tables reports/sweep/sweep --out tables")
def tables(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Folder to write to (default: FOLDER/tables).")] = None,
    sweep: Annotated[
        Path | None, typer.Option(help="The sweep file: rows of jobs that it no longer has are removed.")
    ] = None,
    memory_mib: Memory = 2048,
) -> None:
    """Make the speed-up tables of a sweep, as CSV and Parquet."""
    from bench.sweeps.expand import load_sweep
    from bench.sweeps.shards import make_shards
    from bench.sweeps.tables import remove_stale, write_tables

    if sweep:
        remove_stale(folder, {shard.name for shard in make_shards(load_sweep(sweep))})
    for name, rows in write_tables(folder, out or folder / "tables", memory_mib).items():
        typer.echo(f"{name}: {rows} rows")


@sweeps.command(epilog="Example: bench sweep summary reports/sweep/sweep")
def summary(
    folder: Folder,
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the jobs' logs, to count what was computed.")
    ] = None,
) -> None:
    """Sum up a finished sweep: points, best speed-ups, failures, where to look."""
    from bench.commands.sweep_summary import show_summary

    show_summary(folder, logs)


@sweeps.command(epilog="Example: bench sweep schema > docs/schemas/sweep.schema.json")
def schema() -> None:
    """Print the JSON Schema of sweep files."""
    from bench.sweeps.form import schema_text

    typer.echo(schema_text(), nl=False)


def query(
    folder: Folder,
    sql: Annotated[str, typer.Argument(help="One SELECT over the views (docs/sweeps.md).")],
    output_format: Annotated[
        Format, typer.Option("--format", help="How to write the answer.")
    ] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="File to write to (default: standard output).")] = None,
    memory_mib: Memory = 2048,
) -> None:
    """Ask the results of a sweep by SQL; nothing is changed."""
    from bench.commands import query as cli_query

    cli_query.show_answer(folder, sql, output_format.value, out, memory_mib)
