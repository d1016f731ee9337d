"""Sections on the sweeps over many workloads, on the numbers that plans compute, and on boards."""

from __future__ import annotations

from bench.results.boards import NOTE as BOARDS_NOTE
from bench.results.boards import TITLE as BOARDS_TITLE
from bench.results.numerics import ACCURACY_NOTE, NUMERICS_NOTE
from bench.site.parts import Part, Section, Sources, show


def sweep_section(sources: Sources, name: str, title: str, text: str) -> Section | None:
    """The figures whose name begins with ``name``; None if there are none. Explore has every point."""
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
    return Section(name, title, text, tuple(parts)) if parts else None


def speedups_section(sources: Sources) -> Section | None:
    """Geometric means by experiment."""
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
    links = ("tables/summary_vs_single.csv", "tables/summary_vs_conventional.csv")
    return Section("speedups", "Speed-ups by experiment", text, tuple(parts), links)


def numbers_section(sources: Sources) -> Section | None:
    """How many plans compute the right numbers, and how exact number formats are."""
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


def boards_section(sources: Sources) -> Section | None:
    """What was measured on boards, beside the emulated latencies; None if nothing was."""
    table = sources.table("boards")
    if table.empty:
        return None
    text = (
        "The plans of this run on OpenCL devices, with numbers: a row says what it ran on, and only a real "
        "board is called a board."
    )
    part = Part(table=show(table.dropna(axis="columns", how="all")), text=BOARDS_NOTE)
    return Section("boards", BOARDS_TITLE, text, (part,), ("tables/boards.csv",))
