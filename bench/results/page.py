"""The HTML page that shows it all: one file, no network, the same bytes for the same inputs.

Example: ``python -m bench.results.page --results reports/results --reports reports``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pandas as pd

import bench
from bench.results.beyond import BEYOND_NOTE
from bench.results.frames import prepare
from bench.results.numerics import ACCURACY_NOTE, NUMERICS_NOTE, by_experiment
from bench.results.output import shown, write_text
from bench.results.page_field import field_section, notes_section
from bench.results.page_parts import Card, Part, Section, Sources, show
from bench.results.page_studies import studies_section
from bench.results.published import PUBLISHED
from bench.results.store import read_results

TEMPLATES = PUBLISHED.parent / "templates"


def build(sources: Sources) -> str:
    """The page as text. Raises UserError if there are no results."""
    rows = prepare(read_results(sources.results))
    sections = [
        _claims(sources),
        _fidelity(sources),
        _paper(sources),
        _winners(sources),
        studies_section(sources),
        _sweep(sources, "deepbench", "DeepBench", "RNN problems of DeepBench's inference-server set."),
        _sweep(sources, "large", "Large RNNs", "Networks larger than one FPGA's on-chip memory."),
        field_section(sources),
        notes_section(sources),
        _speedups(sources),
        _numbers(sources),
        _failures(sources),
        _provenance(rows),
    ]
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("page.html.j2").render(
        cards=_cards(sources, rows),
        sections=[section for section in sections if section is not None and section.parts],
        version=bench.__version__,
    )


def _cards(sources: Sources, rows: pd.DataFrame) -> list[Card]:
    cards = []
    claims = sources.table("claims")
    if len(claims):
        headline = claims[claims["id"].str.startswith("headline")]
        for claim in headline.to_dict("records"):
            text = f"{claim['claim']}; published {claim['expected']:g}"
            cards.append(Card(f"{shown(claim['got'])}×", text))
        held = int((claims["result"] == "pass").sum())
        cards.append(Card(f"{held} of {len(claims)}", "claims hold"))
    summary = sources.table("paper_summary")
    if len(summary):
        chosen = summary.set_index("figure").loc["7, 8, 10, 11"]
        cards.append(
            Card(
                f"{100 * chosen['within_15pct_or_step']:.0f} %",
                f"of {chosen['points']:.0f} points of Figs. 7, 8, 10 and 11 within 15 % or one drawing step",
            )
        )
    checked = by_experiment(rows)
    if len(checked):
        right = int(checked[["exact", "within_1e-5"]].sum().sum())
        text = "plans compute the right numbers, run on virtual FPGAs"
        cards.append(Card(f"{right:,} of {checked['plans'].sum():,}", text))
    solved = int(rows["solved"].sum())
    cards.append(
        Card(f"{solved:,} of {len(rows):,}", "points solved; the others stand below with their reasons")
    )
    return cards


def _claims(sources: Sources) -> Section | None:
    table = sources.table("claims")
    if table.empty:
        return None
    signs = {"within": "", "at least": "≥ ", "at most": "≤ "}
    view = pd.DataFrame(
        {
            "result": table["result"],
            "claim": table["claim"],
            "expected": [
                f"{signs[row['relation']]}{row['expected']:g}"
                + (f" ± {row['tolerance']:g}" if row["tolerance"] else "")
                for row in table.to_dict("records")
            ],
            "got": table["got"],
            "source": table["source"],
        }
    )
    text = "What the results must show, each with its tolerance. Expectations are committed before the run."
    return Section("claims", "Claims", text, (Part(table=show(view)),), ("claims.csv",))


def _fidelity(sources: Sources) -> Section | None:
    points, summary = sources.table("fidelity_points"), sources.table("fidelity_summary")
    if points.empty or points["emulated"].isna().all():
        return None
    text = "Absolute deviations; rows on which a parameter was fitted stand apart from those only predicted."
    parts = [Part("Set by set", text, sources.image("fidelity_summary"), show(summary))]
    for name, group in points.groupby("set", sort=True):
        image = sources.image(f"fidelity_{name}")
        if image:
            title = f"Set {str(name).upper()}: {summary.set_index('set').loc[[name], 'title'].iloc[0]}"
            folded = f"{len(group)} rows of set {str(name).upper()}"
            parts.append(Part(title, "", image, show(group.drop(columns="set"), 4), folded))
    for key, title in (
        ("trace", "FCCM 2019, Fig. 4: cycles of one step of an RNN"),
        ("sdm", "ISCA 2018: the bound SDM as a formula"),
    ):
        table = sources.table(f"fidelity/{key}")
        if len(table) and table.notna().all(axis=None):
            parts.append(Part(table=show(table, 4), folded=title))
    text = (
        "Emulated latencies of single FPGAs against published ones, and (set G) the ratios of DAC 2020. "
        "Bound: what the emulator reached when it was recorded; a run that is worse fails."
    )
    links = ("tables/fidelity_points.csv", "tables/fidelity_summary.csv")
    return Section("fidelity", "Fidelity", text, tuple(parts), links)


def _paper(sources: Sources) -> Section | None:
    points, summary = sources.table("paper_points"), sources.table("paper_summary")
    if points.empty:
        return None
    parts = [
        Part(
            "Deviation by figure",
            "Without values that hold by definition; a missing result counts as outside.",
            sources.image("paper_deviation"),
            show(summary),
        )
    ]
    shares = summary.set_index("figure")
    for figure, group in points.groupby("figure", sort=False):
        view = group[["workload", "series", "fpgas", "published", "step", "emulated", "deviation_pct"]]
        if len(group["metric"].unique()) > 1:
            view = view.assign(metric=group["metric"])
        text = ""
        if figure in shares.index:
            row = shares.loc[figure]
            text = (
                f"{100 * row['within_15pct_or_step']:.0f} % of {row['points']:.0f} points within 15 % or one "
                f"drawing step; mean absolute deviation {row['mean_abs_deviation_pct']:.1f} %."
            )
        title = f"Fig. {figure}"
        folded = f"{len(group)} points of Fig. {figure}"
        parts.append(Part(title, text, sources.image(f"paper_fig{figure}"), show(view), folded))
    beyond = sources.image("paper_beyond")
    if beyond:
        text = (
            "The same networks with the full search, which also splits by gate and input, and hides "
            "exchanges behind products; nothing published stands beside it."
        )
        parts.append(Part("Beyond the paper", text, beyond))
    ours = sources.table("beyond_paper")
    if len(ours):
        title = "Both directions of each ring link in use"
        parts.append(Part(title, BEYOND_NOTE, table=show(ours.drop(columns=["step", "plan"]))))
    text = "Bars and solid lines are emulated; diamonds are published, with the reading error of the drawing."
    links = ("tables/paper_points.csv", "tables/paper_summary.csv", "tables/beyond_paper.csv")
    return Section("paper", "The paper's figures", text, tuple(parts), links)


def _winners(sources: Sources) -> Section | None:
    table = sources.table("paper_winners")
    if table.empty:
        return None
    decided = table[table["decided"]]
    text = (
        f"In {len(decided)} of {len(table)} cells the paper's winner leads by more than one drawing step; "
        f"ours is the same in {int(decided['agrees'].sum())} of them."
    )
    columns = [
        "figure",
        "workload",
        "at",
        "published_winner",
        "margin_steps",
        "emulated_winner",
        "decided",
        "agrees",
    ]
    other = decided[~decided["agrees"].astype(bool)]
    parts = [Part("Cells with another winner", table=show(other[columns]))] if len(other) else []
    parts.append(Part(table=show(table[columns]), folded=f"All {len(table)} cells"))
    return Section("winners", "Who wins", text, tuple(parts), ("tables/paper_winners.csv",))


def _sweep(sources: Sources, name: str, title: str, text: str) -> Section | None:
    titles = {
        "deepbench_geomean": "Geometric means",
        "deepbench_by_hidden_size": "By hidden size, smallest batch",
        "deepbench_vs_gpu": "Beside published GPU latencies, recurrent products only",
        "deepbench_devices": "One FPGA of each kind",
        "large_scaling": "Speed-up by number of FPGAs",
        "large_geomean": "Geometric means",
    }
    parts = [
        Part(heading, image=image)
        for key, heading in titles.items()
        if key.startswith(name) and (image := sources.image(key))
    ]
    for experiment in sorted(
        path.stem for path in (sources.reports / "tables" / "vs_single").glob(f"{name}*.csv")
    ):
        table = sources.table(f"vs_single/{experiment}")
        folded = f"{experiment}: speed-up over one FPGA, all {len(table)} points"
        parts.append(Part(table=show(table), folded=folded))
    return Section(name, title, text, tuple(parts)) if parts else None


def _speedups(sources: Sources) -> Section | None:
    parts = []
    for against, title in (
        ("single", "over one FPGA"),
        ("conventional", "over the best conventional partitioner"),
    ):
        table = sources.table(f"summary_vs_{against}")
        for experiment, group in table.groupby("experiment", sort=True) if len(table) else ():
            shown_group = show(group.drop(columns="experiment"))
            parts.append(Part(table=shown_group, folded=f"{experiment}: speed-up {title}"))
    text = (
        "n_ok/n: points solved of points tried. geomean common: over the points that every strategy solved "
        "which solved any. geomean all: failures counted as 1.0. One FPGA runs without software pipelining, "
        "as in the paper, so a pipelined plan can gain more than N. Conventional: the fastest of layer-wise, "
        "input-wise and gate-wise at the same number of FPGAs."
    )
    links = ("tables/summary_vs_single.csv", "tables/summary_vs_conventional.csv", "tables/all_results.csv")
    return Section("speedups", "Speed-ups by experiment", text, tuple(parts), links)


def _numbers(sources: Sources) -> Section | None:
    checked, accuracy = sources.table("numerics"), sources.table("accuracy")
    if checked.empty:
        return None
    total = checked.drop(columns="experiment").sum()
    part = Part("Plans", NUMERICS_NOTE, table=show(checked), folded=f"{total['plans']:,} rows by experiment")
    parts, links = [part], ["tables/numerics.csv"]
    if len(accuracy):
        short = accuracy["workload"].str.rpartition("/")[2]
        if short.nunique() == accuracy["workload"].nunique():
            accuracy = accuracy.assign(workload=short)
        snr = accuracy.pivot_table(index="workload", columns="format", values="snr_db", sort=False)
        text = ACCURACY_NOTE
        parts.append(
            Part("Accuracy of formats: signal-to-noise ratio in dB", text, table=show(snr.reset_index()))
        )
        parts.append(Part(table=show(accuracy), folded="Largest errors"))
        links.append("tables/accuracy.csv")
    text = (
        "Each plan's instructions were also run with numbers, on devices that hold only the weights that the "
        f"plan gives them and the vectors that they are sent. Of {total['plans']:,} rows with a plan, "
        f"{total['exact']:,} agree with a run without a plan in every bit, {total['within_1e-5']:,} within "
        f"1e-5; {total['wrong']:,} are wrong and {total['unchecked']:,} could not be checked."
    )
    return Section("numbers", "Numbers", text, tuple(parts), tuple(links))


def _failures(sources: Sources) -> Section | None:
    table = sources.table("failure_counts")
    if table.empty:
        return Section("failures", "Failures", "", (Part(text="Every point was solved."),))
    text = "status: what the partitioner said. termination: what the harness did."
    total = int(table["points"].sum())
    parts = (Part(table=show(table), folded=f"{total:,} rows without a result, by reason"),)
    return Section("failures", "Failures", text, parts, ("tables/failures.csv",))


def _provenance(rows: pd.DataFrame) -> Section:
    digests = (
        rows.groupby(["partitioner", "source_digest", "version"], sort=True)
        .size()
        .rename("points")
        .reset_index()
    )
    setup = (
        rows.groupby(["profile", "topology", "link", "backend"], sort=True)
        .size()
        .rename("points")
        .reset_index()
    )
    parts = (
        Part("Hardware profiles", table=show(setup)),
        Part("Partitioners and the digest of the sources that made their rows", table=show(digests)),
    )
    return Section("provenance", "Provenance", "", parts, ("provenance.json",))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the page; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.page",
        description="Write one self-contained HTML page from results, tables/, figures/ and claims.csv.",
        epilog="example: python -m bench.results.page --results reports/results --reports reports "
        "--out reports/index.html",
    )
    parser.add_argument("--results", type=Path, help="folder of *.parquet (default: results/ in --reports)")
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="folder with tables/, figures/, claims.csv"
    )
    parser.add_argument("--out", type=Path, help="file to write (default: index.html in the reports folder)")
    arguments = parser.parse_args(argv)
    out = arguments.out or arguments.reports / "index.html"
    write_text(build(Sources(arguments.results or arguments.reports / "results", arguments.reports)), out)
    print(f"page in {out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
