"""The ``bench`` command: list, show, run, search, explain and so on, and what the Snakefile calls.

Commands import what they need when they run, so that each starts at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.commands import baseline as cli_baseline
from bench.commands import boards as cli_boards
from bench.commands import check as cli_check
from bench.commands import explore as cli_explore
from bench.commands import looking as cli_looking
from bench.commands import plan as cli_plan
from bench.commands import sweep as cli_sweep
from bench.commands.new import new
from bench.commands.options import (
    DEFAULT_PROFILE,
    PARTITIONER_HELP,
    WORKLOAD_HELP,
    Fpgas,
    Json,
    LinkLatency,
    LinkName,
    Parameters,
    ProfileName,
    TopologyName,
)
from bench.errors import UserError
from bench.threads import use_one_thread

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How should an RNN be split over N FPGAs, and how fast is it then?",
    epilog="Example: bench run --workload dac20/blstm-4 --fpgas 8 --partitioner full",
)
pipeline = typer.Typer(no_args_is_help=True, help="Steps that the Snakefile calls.")
app.add_typer(pipeline, name="pipeline")
app.command(epilog="Example: bench new partitioner mine")(new)
app.command(epilog="Example: bench check mine.py")(cli_check.check)
app.add_typer(cli_plan.plans, name="plan")
app.add_typer(cli_boards.boards, name="boards")
app.command(epilog="Example: bench baseline --engine onnxruntime --workload 'dac20/lstm-*' --threads 1")(
    cli_baseline.baseline
)


class Listed(StrEnum):
    """What `bench list` can list."""

    WORKLOADS = "workloads"
    PROFILES = "profiles"
    PARTITIONERS = "partitioners"
    TOPOLOGIES = "topologies"
    FORMATS = "formats"


class Shown(StrEnum):
    """What `bench show` can show."""

    WORKLOAD = "workload"
    PROFILE = "profile"


@app.command("list", epilog="Example: bench list partitioners")
def list_names(what: Listed, as_json: Json = False) -> None:
    """List workloads, hardware profiles, partitioners, topologies or number formats, a line about each."""
    from bench.commands import listing as cli_list

    cli_list.list_names(what.value, as_json=as_json)


@app.command(epilog="Example: bench show workload dac20/blstm-4")
def show(
    what: Shown,
    name: Annotated[str, typer.Argument(help="A name from `bench list`, or a file (workloads: .onnx too).")],
    as_json: Json = False,
) -> None:
    """Show all values of one workload or hardware profile."""
    from bench.commands import listing as cli_list

    cli_list.show(what.value, name, as_json=as_json)


@app.command(
    epilog="Example: bench run --workload lstm-2048-b1-t25 --profile s10-gx2800-dac20 --fpgas 4 "
    "--topology ring --partitioner row-wise --param software_pipelining=true"
)
def run(
    workload: Annotated[str, typer.Option(help=WORKLOAD_HELP)],
    partitioner: Annotated[str, typer.Option(help=PARTITIONER_HELP)],
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    param: Parameters = None,
    link: LinkName = None,
    link_latency_ns: LinkLatency = None,
    save_plan: Annotated[Path | None, typer.Option(help="Write the plan as JSON to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Emulate one workload on one cluster with one partitioner, and say where the time goes.

    Exit code 1: the point has no result (the partitioner or the emulator refused it, or its numbers
    are wrong).
    """
    use_one_thread()
    from bench.commands import run as cli_run

    cluster = (profile, topology, link, link_latency_ns, fpgas)
    solved = cli_run.run_point(workload, cluster, partitioner, param or [], save_plan, as_json=as_json)
    raise typer.Exit(0 if solved else 1)


@app.command(
    epilog="Example: bench search dac20/gru-2048 --fpgas 4 --topology ring-bidirectional --seconds 60 "
    "--out plan.json"
)
def search(
    workload: Annotated[str, typer.Argument(help=WORKLOAD_HELP)],
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    link: LinkName = None,
    link_latency_ns: LinkLatency = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after so long, with the best so far (default: no limit)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep the best plan so far in this file, as JSON; it never gets worse."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search for the fastest plan, and say each improvement as it is found.

    Ctrl-C stops it with the best so far. Exit code 1: there is no plan.
    """
    use_one_thread()
    from bench.commands import search as cli_search

    cluster = (profile, topology, link, link_latency_ns, fpgas)
    solved = cli_search.search_plan(workload, cluster, seconds, out, as_json=as_json)
    raise typer.Exit(0 if solved else 1)


@app.command(epilog="Example: bench explain dac20/gru-2048 --fpgas 4 --topology ring-bidirectional")
def explain(
    workload: Annotated[str, typer.Argument(help=WORKLOAD_HELP)],
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    link: LinkName = None,
    link_latency_ns: LinkLatency = None,
    as_json: Json = False,
) -> None:
    """Say what `full` chooses and why: beside its runner-up, conventional plans and the bound.

    Exit code 1: there is no plan.
    """
    use_one_thread()
    from bench.commands import explain as cli_explain

    cluster = (profile, topology, link, link_latency_ns, fpgas)
    solved = cli_explain.explain(workload, cluster, as_json=as_json)
    raise typer.Exit(0 if solved else 1)


@app.command(
    epilog="Example: bench numerics --workload dac20/lstm-1024 --fpgas 4 --partitioner row-wise "
    "--format bfp5 --full-size --steps 8"
)
def numerics(
    workload: Annotated[str | None, typer.Option(help=WORKLOAD_HELP)] = None,
    partitioner: Annotated[str | None, typer.Option(help=PARTITIONER_HELP)] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    param: Parameters = None,
    plan: Annotated[Path | None, typer.Option(help="A file of `bench run --save-plan`, instead.")] = None,
    number_format: Annotated[
        str | None,
        typer.Option("--format", help="A name from `bench list formats` (default: the overlay's)."),
    ] = None,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="The network itself, not a small one of the same structure.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Time steps at most (default: 4, all with --full-size).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random weights and data.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a plan with numbers on virtual FPGAs, and compare each layer with a run without a plan.

    Exit code 1: there is no plan, or it computes something else.
    """
    use_one_thread()
    from bench.commands import given_plan as cli_given_plan
    from bench.commands import numerics as cli_numerics

    cluster = (profile, topology, None, None, fpgas)
    asked = cli_given_plan.asked(plan, workload, partitioner, cluster, param)
    right = cli_numerics.show_numerics(
        asked, format_name=number_format, full_size=full_size, steps=steps, seed=seed, as_json=as_json
    )
    raise typer.Exit(0 if right else 1)


@app.command(epilog="Example: bench export --workload dac20/blstm-4 --out blstm-4.onnx --steps 8")
def export(
    workload: Annotated[str, typer.Option(help=WORKLOAD_HELP)],
    out: Annotated[Path, typer.Option(help="The ONNX file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the random weights.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Time steps, instead of the workload's.")] = None,
) -> None:
    """Write a workload as an ONNX model with random weights, so that other tools can run the same."""
    from bench.commands import export_onnx as cli_export

    cli_export.export_workload(workload, out, seed, steps)


@app.command(
    "import",
    epilog="Example: bench import model.onnx --steps 25 --batch 1 --out models/mine.yaml. An ONNX file comes "
    'out of PyTorch by torch.onnx.export(model, args, "model.onnx"), out of Keras 3 by '
    'model.export("model.onnx", format="onnx"), out of TensorFlow by python -m tf2onnx.convert '
    "--saved-model FOLDER --output model.onnx",
)
def import_model(
    model: Annotated[Path, typer.Argument(help="The ONNX file.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Sequence length, if the file has none.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Batch size, if the file leaves it open.")] = None,
    dim: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="A dimension or a loop's iterations, by name; repeatable."),
    ] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(metavar="IF=then|else", help="The side that an If node takes; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the workload to this YAML file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Show the recurrent layers of an ONNX model, what is around them, and how to run them here."""
    from bench.commands import import_onnx as cli_import
    from bench.workloads.onnx_import.importer import Options

    sizes = {name: int(size) for name, size in cli_import.parse_pairs("--dim", dim or []).items()}
    branches = cli_import.parse_pairs("--branch", branch or [])
    cli_import.import_file(model, Options(steps, batch, sizes, branches), out, force=force)


@app.command(epilog="Example: bench validate models/mine.yaml hw_profiles/board.yaml config/mine.yaml")
def validate(
    files: Annotated[list[Path], typer.Argument(help="Workloads, profiles, configurations, plans.")],
) -> None:
    """Check files that you wrote: all mistakes at once, and nothing written."""
    use_one_thread()
    from bench.commands import validate as cli_validate

    cli_validate.validate_files(files)


cli_looking.register(app)
cli_sweep.register(app)
app.add_typer(cli_explore.explore, name="explore")


@pipeline.command(epilog="Example: bench pipeline shards config/default.yaml")
def shards(config: Path) -> None:
    """List the jobs of a configuration: name, points, digest of all they depend on."""
    from bench.digest import shard_digest
    from bench.experiments import load_config, make_shards

    loaded = load_config(config)
    for shard in make_shards(loaded):
        typer.echo(f"{shard.name}\t{len(shard.points)}\t{shard_digest(shard, loaded)}")


@pipeline.command(epilog="Example: bench pipeline evaluate config/default.yaml all--row-wise row-wise.jsonl")
def evaluate(config: Path, shard: str, output: Path) -> None:
    """Evaluate all points of one job; points that fail become rows with a reason."""
    from bench.experiments import read_config
    from bench.shards import evaluate_shard, find_shard, show_progress

    loaded = read_config(config)
    with show_progress(shard) as progress:
        evaluate_shard(loaded, find_shard(loaded, shard), output, progress)


@pipeline.command(
    epilog="Example: bench pipeline collect config/smoke.yaml results.parquet reports/shards/*.jsonl"
)
def collect(config: Path, output: Path, files: list[Path]) -> None:
    """Join shards into one Parquet file, and check that every point has its row."""
    from bench import shards

    shards.collect(config, files, output)


@pipeline.command(epilog="Example: bench pipeline accuracy config/smoke.yaml accuracy.jsonl")
def accuracy(config: Path, output: Path) -> None:
    """Compare number formats with float32, as the section `accuracy` of a configuration says."""
    use_one_thread()  # the last bits of a sum depend on the number of threads
    from bench.experiments import load_config
    from bench.shards import show_progress, write_accuracy

    with show_progress("accuracy") as progress:
        write_accuracy(load_config(config), output, progress)


@pipeline.command(epilog="Example: bench pipeline measure config/boards.yaml boards.jsonl")
def measure(config: Path, output: Path) -> None:
    """Run points on boards, as the section `boards` of a configuration says."""
    from bench.boards.rows import measured_rows
    from bench.experiments import load_config
    from bench.sealed import write_sealed
    from bench.shards import show_progress

    with show_progress("boards") as progress:
        rows = measured_rows(load_config(config), progress)
    write_sealed(rows, output)


@pipeline.command(epilog="Example: bench pipeline check reports/claims.csv")
def check(claims: Path) -> None:
    """Exit with code 1 if a claim failed."""
    from bench.commands.verdict import failed_claims

    failed = failed_claims(claims)
    for line in failed:
        typer.echo(f"failed claim: {line}", err=True)
    raise typer.Exit(1 if failed else 0)


@pipeline.command(epilog="Example: bench pipeline schema > docs/schemas/config.schema.json")
def schema() -> None:
    """Print the JSON Schema of configuration files."""
    from bench.experiments import Config
    from bench.files import json_schema

    typer.echo(json_schema(Config, CONFIG_TITLE), nl=False)


CONFIG_TITLE = "Configuration of an evaluation"


def main() -> None:
    """Run the command line; a user's mistake ends with one message and exit code 2."""
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
