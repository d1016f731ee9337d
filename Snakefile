# The pipeline, one rule an arrow of docs/architecture.md:
#
#   configuration -> shards of points -> results -> tables -> figures, claims -> site
#
# snakemake reproduce-all                                     everything, into reports/
# snakemake reproduce-all --config config=config/smoke.yaml out=smoke
# snakemake reproduce-all -s SUITE/Snakefile --configfile mine.yaml     in a folder of one's own
# snakemake reproduce-all --config baselines=measure          CPU and GPU timed on this machine, too
#
# Paths in a configuration, and the output folder, are relative to the working directory; what is the
# suite's own is found from anywhere.
#
# Snakemake does not see what a command imports, so each job has a digest as a parameter:
# a hash over its points and over the modules their results depend on (bench/digest.py).
# Editing a partitioner re-runs that partitioner's jobs, and what is made from all results.
import os
import shlex
import sys
from os.path import dirname, join
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.20")
sys.path.insert(0, workflow.basedir)
# The interpreter that runs Snakemake runs the jobs, whether its environment is activated or not, and on
# this Snakefile's package; a user's bench/ or random.py in the working directory is not taken for one of ours.
PATHS = os.pathsep.join(filter(None, [workflow.basedir, os.getenv("PYTHONPATH")]))
# Within the suite both are the same folder, which a Jupyter kernel would drop for good.
SAFE = "" if Path.cwd() == Path(workflow.basedir) else "1"
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    f" PYTHONPATH={shlex.quote(PATHS)} PYTHONSAFEPATH={SAFE}; "
)

from bench.boards.wanted import boards_digest
from bench.digest import (
    accuracy_digest,
    baselines_digest,
    exploration_digest,
    report_digest,
    shard_digest,
    site_digest,
    sweep_report_digest,
)
from bench.errors import UserError
from bench.experiments import load_config, make_shards, notebooks
from bench.leftovers import date_now, register_run, remove_damaged, say_if_full
from bench.progress import follow, hush

# relative, so that a run within the repository names its files as they are called there
SUITE = Path(os.path.relpath(workflow.basedir))
GIVEN = [os.path.relpath(path) for path in workflow.configfiles]
SWEEP = config.get("sweep")
if SWEEP:
    from bench.sweeps.jobs import read_sweep
# A sweep has no use for a configuration: the smallest one is read.
DEFAULT = SUITE / "config/smoke.yaml" if SWEEP else "config/default.yaml"
CONFIG = config.get("config", GIVEN[-1] if GIVEN else str(DEFAULT))
OUT = config.get("out", "reports")
CACHE = config.get("cache", ".sweep-cache")
# Times of CPUs and GPUs: those that are stored, unless this machine's are asked for.
BASELINES = config.get("baselines", "stored")

if BASELINES not in ("stored", "measure"):
    raise WorkflowError(f"error: baselines={BASELINES}; expected stored or measure")

try:
    SETTINGS = load_config(Path(CONFIG))
    NOTEBOOKS = notebooks(SETTINGS, SUITE)
    SHARDS = {shard.name: shard for shard in make_shards(SETTINGS)}
    SWEPT = read_sweep(Path(SWEEP)) if SWEEP else None
except UserError as error:
    raise WorkflowError(f"error: {error}")

if not SWEPT and workflow.is_main_process and "sweep" in sys.argv:
    raise WorkflowError(
        "error: name a sweep file: snakemake sweep --config sweep=config/sweep.yaml"
    )

JOBS = SWEPT.jobs if SWEPT else {}
SWEEP_OUT = f"{OUT}/sweep/{SWEPT.name}" if SWEPT else f"{OUT}/sweep/none"
SWEEP_ROWS = f"{SWEEP_OUT}/points/{{shard}}.parquet"

# A run that was killed must not be in the way of the next one.
if workflow.is_main_process and not workflow.output_settings.dryrun:
    if SWEPT:
        written = [*Path(SWEEP_OUT).glob("points/*.parquet")]
    else:
        written = [*Path(OUT).glob("shards/*.jsonl"), *Path(OUT).glob("*.jsonl")]
    dated = [
        *written,
        *Path(OUT).glob("results/*.parquet"),
        Path(OUT) / "provenance.json",
    ]
    for line in [*register_run(), *remove_damaged(written), *date_now(dated)]:
        print(line, file=sys.stderr)

DIGESTS = {name: shard_digest(shard, SETTINGS) for name, shard in SHARDS.items()}


REPORTS = SUITE / "reports"
# With a default storage provider, all other files are looked for in the store.
OWN = {
    name: local(sorted(str(path) for path in paths if path.is_file()))
    for name, paths in {
        "published": (REPORTS / "published").glob("*.csv"),
        "fidelity": [REPORTS / "expected/fidelity.yaml"],
        "baselines": [
            *(REPORTS / "baselines").glob("*.csv"),
            *(REPORTS / "baselines").glob("*.json"),
        ],
        "expected": (REPORTS / "expected").rglob("*"),
        "templates": (REPORTS / "templates").rglob("*"),
    }.items()
}


def minutes(points, attempt):
    """When a cluster may end a job: after an hour an attempt, or all its points at their limit if that is less."""
    return min(60 * attempt, 5 + int(points * SETTINGS.limits.seconds_per_point / 60))


# A verdict on the claims is no work for a cluster, and no fault that another attempt mends.
localrules:
    check,


wildcard_constraints:
    shard="|".join([*SHARDS, *JOBS]),
    notebook="|".join(NOTEBOOKS) or "none",


# A person sees stage, points done and time left; what the scheduler says is in .snakemake/log.
# `snakemake --verbose`, `-p` and dry runs say all of it.
FOLLOWED = not (
    workflow.output_settings.dryrun
    or workflow.output_settings.verbose
    or workflow.output_settings.printshellcmds
)
if FOLLOWED:
    hush(logger)


onstart:
    if FOLLOWED:
        workflow.follower = follow(
            logger,
            [
                (job.rule.name, job.wildcards.get("shard", ""))
                for job in workflow.dag.needrun_jobs()
            ],
            {
                **{name: len(shard.points) for name, shard in SHARDS.items()},
                **{name: job.points for name, job in JOBS.items()},
            },
            Path(OUT) / (f"logs/sweep/{SWEPT.name}" if SWEPT else "logs/evaluate"),
        )


onsuccess:
    if FOLLOWED:
        workflow.follower.stop()
    if workflow.storage_settings.default_storage_provider:
        pass  # results are elsewhere
    elif SWEPT:
        shell(
            "python -m bench sweep summary {SWEEP_OUT:q} --logs {OUT:q}/logs/sweep/{SWEPT.name:q}"
        )
    else:
        shell("python -m bench summary {OUT:q}")


onerror:
    if FOLLOWED:
        workflow.follower.stop()
    for line in say_if_full(Path(OUT)):
        print(line, file=sys.stderr)
    if not SWEPT:
        shell("python -m bench summary {OUT:q} || true")


rule:
    name:
        "reproduce-all"
    default_target: True
    input:
        f"{OUT}/index.html",
        f"{OUT}/claims.checked" if SETTINGS.claims else [],
        # what is damaged and removed is made again, although all that follows is there
        expand(f"{OUT}/shards/{{shard}}.jsonl", shard=SHARDS),
        f"{OUT}/accuracy.jsonl" if SETTINGS.accuracy else [],
        f"{OUT}/boards.jsonl" if SETTINGS.boards else [],


# The longest first, so that no core is left with nothing to do beside the last one.
# Retries and resources count where a machine, not the suite, ends a job; what a cluster is asked for is in
# docs/clusters.md, beside what was measured. The profiles ask for the same of all other jobs.
rule evaluate:
    output:
        f"{OUT}/shards/{{shard}}.jsonl",
    log:
        f"{OUT}/logs/evaluate/{{shard}}.log",
    priority: lambda wildcards: SHARDS[wildcards.shard].cost
    retries: 2
    conda:
        "environment.yml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: minutes(
            len(SHARDS[wildcards.shard].points), attempt
        ),
    params:
        config=CONFIG,
        digest=lambda wildcards: DIGESTS[wildcards.shard],
    shell:
        "python -m bench pipeline evaluate {params.config:q} {wildcards.shard} {output:q} 2> {log:q}"


rule collect:
    input:
        expand(f"{OUT}/shards/{{shard}}.jsonl", shard=SHARDS),
    output:
        f"{OUT}/results/results.parquet",
    log:
        f"{OUT}/logs/collect.log",
    conda:
        "environment.yml"
    params:
        config=CONFIG,
        digest=report_digest(),
    shell:
        "python -m bench pipeline collect {params.config:q} {output:q} {input:q} 2> {log:q}"


rule accuracy:
    output:
        f"{OUT}/accuracy.jsonl",
    log:
        f"{OUT}/logs/accuracy.log",
    priority: max(shard.cost for shard in SHARDS.values())
    conda:
        "environment.yml"
    params:
        config=CONFIG,
        digest=accuracy_digest(SETTINGS),
    shell:
        "python -m bench pipeline accuracy {params.config:q} {output:q} 2> {log:q}"


# Boards are looked for when the Snakefile is read, so that new ones are measured by the next run.
rule boards:
    output:
        f"{OUT}/boards.jsonl",
    log:
        f"{OUT}/logs/boards.log",
    conda:
        "environment.yml"
    params:
        config=CONFIG,
        digest=boards_digest(SETTINGS),
    shell:
        "python -m bench pipeline measure {params.config:q} {output:q} 2> {log:q}"


# Minutes, with every core: alone, so that no other job is timed with it.
rule baselines:
    output:
        directory(f"{OUT}/measured"),
    log:
        f"{OUT}/logs/baselines.log",
    conda:
        "environment.yml"
    threads: workflow.cores or 1
    params:
        digest=baselines_digest(),
    shell:
        # exit code 1: an engine broke, and its rows say so
        "python -m bench baseline --out {output:q} > {log:q} 2>&1 || test $? -eq 1"


rule tables:
    input:
        results=rules.collect.output,
        accuracy=rules.accuracy.output if SETTINGS.accuracy else [],
        boards=rules.boards.output if SETTINGS.boards else [],
        published=OWN["published"],
        fidelity=OWN["fidelity"],
        stored=OWN["baselines"],
        measured=rules.baselines.output if BASELINES == "measure" else [],
    output:
        directory(f"{OUT}/tables"),
    log:
        f"{OUT}/logs/tables.log",
    priority: 1  # figures and claims wait for it
    conda:
        "environment.yml"
    params:
        accuracy=lambda wildcards, input: (
            ["--accuracy", *input.accuracy] if input.accuracy else []
        ),
        boards=lambda wildcards, input: (
            ["--boards", *input.boards] if input.boards else []
        ),
        measured=lambda wildcards, input: (
            ["--stored", *input.measured] if input.measured else []
        ),
        digest=report_digest(),
    shell:
        "python -m bench.results.report --results {input.results:q} {params.accuracy:q} {params.boards:q}"
        " {params.measured:q} --out {output:q} > {log:q} 2>&1"


# The executed copies hold paths of this machine: they stay in the output folder.
rule figures:
    input:
        notebook=lambda wildcards: local(NOTEBOOKS[wildcards.notebook]),
        results=rules.collect.output,
        tables=rules.tables.output,
        published=OWN["published"],
        fidelity=OWN["fidelity"],
    output:
        f"{OUT}/notebooks/{{notebook}}.ipynb",
    log:
        f"{OUT}/logs/figures/{{notebook}}.log",
    conda:
        "environment.yml"
    params:
        out=lambda wildcards, output: join(dirname(dirname(output[0])), "figures"),
        digest=report_digest(),
    shell:
        "python -m bench.results.notebook {input.notebook:q} {output:q} --results {input.results:q}"
        " --tables {input.tables:q} --figures {params.out:q} > {log:q} 2>&1"


rule claims:
    input:
        results=rules.collect.output,
        tables=rules.tables.output,
        expected=OWN["expected"],
    output:
        f"{OUT}/claims.csv",
    log:
        f"{OUT}/logs/claims.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "python -m bench.results.claims --report-only --results {input.results:q}"
        " --tables {input.tables:q} --out {output:q} > {log:q} 2>&1"


rule provenance:
    input:
        config=local(CONFIG),
        results=rules.collect.output,
    output:
        f"{OUT}/provenance.json",
    log:
        f"{OUT}/logs/provenance.log",
    conda:
        "environment.yml"
    shell:
        "python -m bench.results.provenance --config {input.config:q}"
        " --results $(dirname {input.results:q}) --out {output:q} > {log:q} 2>&1"


# What the site shows that takes long and needs neither tables nor figures: made beside them.
rule site_ahead:
    input:
        results=rules.collect.output,
    output:
        f"{OUT}/site_ahead.json",
    log:
        f"{OUT}/logs/site_ahead.log",
    priority: 1
    conda:
        "environment.yml"
    params:
        digest=site_digest(),
    shell:
        "python -m bench.site.ahead --results {input.results:q} --out {output:q} > {log:q} 2>&1"


# The site replaces the one before as a whole, so it is no output that Snakemake would remove first.
rule site:
    input:
        rules.provenance.output,
        rules.tables.output,
        expand(f"{OUT}/notebooks/{{notebook}}.ipynb", notebook=NOTEBOOKS),
        rules.claims.output if SETTINGS.claims else [],
        results=rules.collect.output,
        ahead=rules.site_ahead.output,
        templates=OWN["templates"],
    output:
        f"{OUT}/index.html",
    log:
        f"{OUT}/logs/site.log",
    conda:
        "environment.yml"
    params:
        out=lambda wildcards, output: join(dirname(output[0]), "site"),
        digest=site_digest(),
    shell:
        "python -m bench.site --results {input.results:q} --reports $(dirname {output:q}) --ahead {input.ahead:q}"
        " --out {params.out:q} --forward {output:q} > {log:q} 2>&1"


# The last word: results are written by now, and stay when a claim fails.
rule check:
    input:
        rules.site.output,
        claims=rules.claims.output,
    output:
        touch(f"{OUT}/claims.checked"),
    log:
        f"{OUT}/logs/check.log",
    retries: 0
    conda:
        "environment.yml"
    shell:
        "python -m bench pipeline check {input.claims:q} 2> {log:q}"


# snakemake sweep --config sweep=config/sweep.yaml out=reports cache=FOLDER     (docs/sweeps.md)
rule sweep:
    input:
        f"{SWEEP_OUT}/tables",
        f"{SWEEP_OUT}/exploration",
        expand(SWEEP_ROWS, shard=JOBS),


# A job whose node dies is tried once more; what it had put into the cache is not computed again.
rule sweep_shard:
    output:
        SWEEP_ROWS,
    log:
        f"{OUT}/logs/sweep/{SWEPT.name if SWEPT else 'none'}/{{shard}}.log",
    retries: 1
    conda:
        "environment.yml"
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: JOBS[wildcards.shard].minutes,
    params:
        sweep=SWEEP,
        cache=CACHE,
        digest=lambda wildcards: JOBS[wildcards.shard].digest,
    shell:
        "python -m bench sweep evaluate {params.sweep:q} {wildcards.shard} {output:q}"
        " --cache {params.cache:q} 2> {log:q}"


rule sweep_tables:
    input:
        expand(SWEEP_ROWS, shard=JOBS),
    output:
        directory(f"{SWEEP_OUT}/tables"),
    log:
        f"{OUT}/logs/sweep/tables.log",
    conda:
        "environment.yml"
    params:
        sweep=SWEEP,
        digest=sweep_report_digest() if SWEPT else "",
    shell:
        "python -m bench sweep tables $(dirname {output:q}) --out {output:q} --sweep {params.sweep:q}"
        " > {log:q} 2>&1"


# After the tables, which remove rows that a changed sweep file no longer has.
rule sweep_exploration:
    input:
        rules.sweep_tables.output,
        expand(SWEEP_ROWS, shard=JOBS),
    output:
        directory(f"{SWEEP_OUT}/exploration"),
    log:
        f"{OUT}/logs/sweep/exploration.log",
    conda:
        "environment.yml"
    params:
        digest=exploration_digest(SWEPT.profiles) if SWEPT else "",
    shell:
        "python -m bench explore tables $(dirname {output:q}) --out {output:q} > {log:q} 2>&1"
