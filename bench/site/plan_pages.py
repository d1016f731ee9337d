"""The Plan pages: a picture of a plan, a steady time step, where the time goes, and the alternatives."""

from __future__ import annotations

from collections import defaultdict

import pandas as pd
from markupsafe import Markup

from bench.explanation.figures import Figures
from bench.explanation.reasons import reasons
from bench.explanation.words import describe_layout
from bench.results.output import shown
from bench.site.cabling import cabling
from bench.site.ownership import ownership
from bench.site.parts import Card, Cell, Column, Link, Page, Part, Section, Shown, show
from bench.site.plan_points import PlanPoint
from bench.site.shares import shares_drawing
from bench.site.steady import busy, steady_drawing, waits


def plan_page(found: PlanPoint) -> Page:
    """The page of one point."""
    sections = (_choice(found), _picture(found), _step(found), _time(found), _again(found))
    title = f"{found.point.workload} on {found.point.fpgas} FPGAs"
    point = found.point
    lead = f"{point.profile}, {point.topology}, {point.link} with {point.link_latency_ns:g} ns."
    return Page(f"plans/{found.name}.html", title, lead, sections, _cards(found))


def plan_link(found: PlanPoint) -> Link:
    """The line that leads to it."""
    layout = describe_layout(found.comparison.winner.candidate.layout)
    title = f"{found.point.workload} on {found.point.fpgas} FPGAs"
    return Link(f"plans/{found.name}.html", title, f"{layout[0].upper()}{layout[1:]}.", _cards(found))


def _cards(found: PlanPoint) -> tuple[Card, ...]:
    figures = found.comparison.winner.figures
    cards = [Card(f"{found.timeline.microseconds(figures.cycles):,.1f} µs", f"{figures.cycles:,} cycles")]
    if found.speedup:
        cards.append(Card(f"{shown(found.speedup)}×", "over one FPGA"))
    if found.comparison.conventional:
        name, other = found.comparison.conventional
        cards.append(Card(f"{shown(other.cycles / figures.cycles)}×", f"over {name}, the best conventional"))
    cards.append(Card(f"{figures.over_bound:.2f}×", "the bound that no plan beats"))
    cards.append(Card(f"{figures.devices_used} of {found.point.fpgas}", "FPGAs in use"))
    return tuple(cards)


def _choice(found: PlanPoint) -> Section:
    text = " ".join(reasons(found.comparison))
    now = found.comparison.winner.figures.cycles
    if now != found.row_cycles:
        text += f" The results say {found.row_cycles:,} cycles: they come from another version of the search."
    return Section("choice", "What was chosen, and why", "", (Part(text=text),))


def _picture(found: PlanPoint) -> Section:
    loads: dict[int, float] = defaultdict(float)
    for block in found.plan.blocks:
        elements = (block.rows[1] - block.rows[0]) * (block.cols[1] - block.cols[0])
        loads[block.device] += elements * found.cluster.profile.weight_bytes_per_element / 1e6
    megabytes = [loads[device] for device in range(found.cluster.fpgas)]
    parts = (
        Part(
            "Matrices",
            "Rows run down, columns across, one scale for all; layers that are cut alike share a line. The "
            "strips to the right are the vectors that are computed. A colour and its number are a device.",
            html=ownership(found.plan, found.workload),
        ),
        Part(
            "Device groups and cables",
            "A box is a group. A dot marks the end to which a cable carries messages; without one, both.",
            html=cabling(found.plan, found.cluster, megabytes),
        ),
    )
    return Section("plan", "Who owns what", "", parts)


def _step(found: PlanPoint) -> Section:
    timeline = found.timeline
    length = timeline.end - timeline.start
    path = pd.DataFrame(
        [(why, cycles, 100 * cycles / length) for why, cycles in waits(timeline)],
        columns=["the step waits for", "cycles", "%"],
    )
    units = pd.DataFrame(
        [
            {"device": "switch" if device < 0 else device}
            | {f"{unit}, % busy": 100 * share for unit, share in sorted(shares.items())}
            for device, shares in busy(timeline)
        ]
    )
    parts = (
        Part(
            text="Pale: at work. Full colour: the run's end waits for it. The line is the critical path; "
            "where it leaps, work passes to another unit or device.",
            html=steady_drawing(timeline),
        ),
        Part("The critical path", table=show(path)),
        Part(table=show(units), folded="How busy each unit is; of links, the busiest"),
    )
    text = (
        f"From cycle {timeline.start:,} to {timeline.end:,}: {length:,} cycles, "
        f"{timeline.microseconds(length):.2f} µs, in the phase that takes longest. Groups of devices work on "
        "different time steps at the same time."
    )
    return Section("step", "One steady time step", text, parts)


def _time(found: PlanPoint) -> Section:
    comparison = found.comparison
    plans: list[tuple[str, Figures]] = [("this plan", comparison.winner.figures)]
    if comparison.runner_up:
        plans.append(("runner-up", comparison.runner_up.figures))
    if comparison.conventional:
        plans.append((f"{comparison.conventional[0]}", comparison.conventional[1]))
    text = (
        "Of the whole run, in cycles: the busiest matrix unit at work, what it waits for other reasons than "
        "links, and what would go if links took no time."
    )
    drawn = shares_drawing(plans, comparison.bound.cycles)
    parts = (Part(html=drawn), Part(table=_compared(plans, comparison.bound.cycles)))
    return Section("time", "Where the time goes", text, parts)


def _compared(plans: list[tuple[str, Figures]], bound_cycles: int) -> Shown:
    values = {
        name: [
            f"{figures.cycles:,}",
            f"{figures.over_bound:.2f}",
            str(figures.devices_used),
            f"{figures.matrix_share:.1%}",
            f"{figures.communication_share:.1%}",
            str(figures.exchanges_per_step),
            f"{figures.hops:g}",
            f"{figures.busiest_link_bytes / 1e3:,.1f}",
            f"{figures.weight_bytes / 1e6:.1f}",
        ]
        for name, figures in plans
    }
    values["bound"] = [f"{bound_cycles:,}", "1.00", *[""] * 7]
    rows = [
        *("cycles", "over the bound", "devices used", "busiest matrix unit", "lost to links"),
        *("exchanges a step", "hops, farthest owners", "busiest link, kB", "fullest device, MB"),
    ]
    columns = (Column("of the whole run", False), *(Column(name, True) for name in values))
    cells = zip(*values.values(), strict=True)
    return Shown(
        columns,
        tuple(
            (Cell(row, "name"), *(Cell(text, "number") for text in line))
            for row, line in zip(rows, cells, strict=True)
        ),
    )


def _again(found: PlanPoint) -> Section:
    point = found.point
    asked = f"--fpgas {point.fpgas} --profile {point.profile}"
    asked += f" --topology {point.topology} --link {point.link}"
    if found.cluster.link.latency_ns != found.cluster.profile.link(point.link).latency_ns:
        asked += f" --link-latency-ns {point.link_latency_ns:g}"
    commands = Markup(
        "<pre><code>$ bench explain {0} {1}\n$ bench run --workload {0} {1} --partitioner full\n"
        "$ bench trace --workload {0} {1} --partitioner full --out trace.json.gz</code></pre>"
    )
    return Section(
        "again", "The same in a shell", "", (Part(html=str(commands.format(point.workload, asked))),)
    )
