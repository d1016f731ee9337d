# The pipeline, one rule an arrow of docs/architecture.md:
#
#   configuration -> shards of points -> results -> tables -> figures, claims -> page
#
# snakemake reproduce-all                                     everything, into reports/
# snakemake reproduce-all --config config=config/smoke.yaml out=smoke
#
# Snakemake does not see what a command imports, so each job has a digest as a parameter:
# a hash over its points and over the modules their results depend on (bench/digest.py).
# Editing a partitioner re-runs that partitioner's jobs, and what is made from all results.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.20")
sys.path.insert(0, workflow.basedir)

from bench.digest import report_digest, shard_digest
from bench.errors import UserError
from bench.experiments import load_config, make_shards, notebooks

CONFIG = config.get("config", "config/default.yaml")
OUT = config.get("out", "reports")
PYTHON = sys.executable

try:
    SETTINGS = load_config(Path(CONFIG))
    NOTEBOOKS = notebooks(SETTINGS)
    DIGESTS = {shard.name: shard_digest(shard, SETTINGS) for shard in make_shards(SETTINGS)}
except UserError as error:
    raise WorkflowError(f"error: {error}")


wildcard_constraints:
    shard="|".join(DIGESTS),
    notebook="|".join(NOTEBOOKS) or "none",


onsuccess:
    shell("{PYTHON} -m bench summary {OUT:q}")


onerror:
    shell("{PYTHON} -m bench summary {OUT:q} || true")


rule:
    name:
        "reproduce-all"
    default_target: True
    input:
        f"{OUT}/index.html",
        f"{OUT}/claims.checked" if SETTINGS.claims else [],


rule evaluate:
    output:
        f"{OUT}/shards/{{shard}}.jsonl",
    log:
        f"{OUT}/logs/evaluate/{{shard}}.log",
    conda:
        "environment.yml"
    params:
        digest=lambda wildcards: DIGESTS[wildcards.shard],
    shell:
        "{PYTHON} -m bench pipeline evaluate {CONFIG:q} {wildcards.shard} {output:q} 2> {log:q}"


rule collect:
    input:
        expand(f"{OUT}/shards/{{shard}}.jsonl", shard=DIGESTS),
    output:
        f"{OUT}/results/results.parquet",
    log:
        f"{OUT}/logs/collect.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "{PYTHON} -m bench pipeline collect {CONFIG:q} {output:q} {input:q} 2> {log:q}"


rule tables:
    input:
        rules.collect.output,
    output:
        directory(f"{OUT}/tables"),
    log:
        f"{OUT}/logs/tables.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "({PYTHON} -m bench.results.tables --results {input:q} --out {output:q} &&"
        " {PYTHON} -m bench.results.paper --results {input:q} --out {output:q}) > {log:q} 2>&1"


rule figures:
    input:
        notebook="notebooks/{notebook}.ipynb",
        tables=rules.tables.output,
    output:
        f"{OUT}/notebooks/{{notebook}}.ipynb",
    log:
        f"{OUT}/logs/figures/{{notebook}}.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "{PYTHON} -m papermill {input.notebook:q} {output:q} -p tables {input.tables:q}"
        " -p figures {OUT:q}/figures --no-progress-bar > {log:q} 2>&1"


rule claims:
    input:
        results=rules.collect.output,
        tables=rules.tables.output,
        expected="reports/expected/claims.yaml",
    output:
        f"{OUT}/claims.csv",
    log:
        f"{OUT}/logs/claims.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "{PYTHON} -m bench.results.claims --report-only --results {input.results:q}"
        " --tables {input.tables:q} --out {output:q} > {log:q} 2>&1"


rule provenance:
    input:
        rules.collect.output,
    output:
        f"{OUT}/provenance.json",
    log:
        f"{OUT}/logs/provenance.log",
    conda:
        "environment.yml"
    shell:
        "{PYTHON} -m bench.results.provenance --config {CONFIG:q} --results {OUT:q}/results"
        " --out {output:q} > {log:q} 2>&1"


rule page:
    input:
        rules.provenance.output,
        rules.tables.output,
        expand(rules.figures.output, notebook=NOTEBOOKS),
        rules.claims.output if SETTINGS.claims else [],
    output:
        f"{OUT}/index.html",
    log:
        f"{OUT}/logs/page.log",
    conda:
        "environment.yml"
    params:
        digest=report_digest(),
    shell:
        "{PYTHON} -m bench.results.page --reports {OUT:q} --out {output:q} > {log:q} 2>&1"


# The last word: results are written by now, and stay when a claim fails.
rule check:
    input:
        claims=rules.claims.output,
        page=rules.page.output,
    output:
        touch(f"{OUT}/claims.checked"),
    log:
        f"{OUT}/logs/check.log",
    conda:
        "environment.yml"
    shell:
        "{PYTHON} -m bench pipeline check {input.claims:q} 2> {log:q}"
