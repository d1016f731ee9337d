"""Two to five sentences about a comparison, each borne out by the figures that it states."""

from __future__ import annotations

from bench.explanation.compare import Chosen, Comparison
from bench.explanation.figures import Figures
from bench.explanation.words import describe_layout, joined, schedule_difference
from bench.workloads.describe import counted

NEGLIGIBLE = 0.005
"""Share of the winner's time below which a difference is left out."""


def reasons(comparison: Comparison) -> list[str]:
    """What the winner is, what sets it apart from the runner-up, and what conventional plans lack."""
    found = [_choice(comparison)]
    winner, other = comparison.winner, comparison.runner_up
    if other is None:
        found.append("There is no other layout to compare it with.")
    else:
        found.append(_runner_up(winner, other))
        more = differences(winner.figures, other.figures)
        found += [f"The runner-up {more}."] if more else []
        found += _structure(winner.figures, other.figures)
    if comparison.conventional:
        found.append(_conventional(*comparison.conventional, winner.figures))
    return found


def differences(winner: Figures, other: Figures) -> str:
    """How ``other`` spends its time differently; what is said adds up to the difference in cycles.

    Three parts of each time: what would go if links took no time, what the busiest matrix unit works,
    and what it then still waits. Parts that hardly differ are left out; empty if all are.
    """
    parts = [
        (other.communication_cycles - winner.communication_cycles, "loses {} cycles to links"),
        (other.matrix_cycles - winner.matrix_cycles, "has {} cycles of work for its busiest matrix unit"),
        (other.waiting_cycles - winner.waiting_cycles, "waits {} cycles for reasons other than links"),
    ]
    parts = [part for part in parts if abs(part[0]) > NEGLIGIBLE * winner.cycles]
    parts.sort(key=lambda part: -abs(part[0]))
    more = [text.format(f"{cycles:,} more") for cycles, text in parts if cycles > 0]
    less = [text.format(f"{-cycles:,} fewer") for cycles, text in parts if cycles < 0]
    return ", but ".join(joined(side) for side in (more, less) if side)


def _choice(comparison: Comparison) -> str:
    """What was chosen, and how far from the bound it is."""
    winner, bound = comparison.winner, comparison.bound
    text = f"The search chooses {describe_layout(winner.candidate.layout)}"
    if winner.figures.cycles == bound.cycles:
        return f"{text}; no plan can be faster, since it takes as long as the bound."
    binds = {"work": "the work there is to do", "recurrence": "the dependences from step to step"}
    said = f"{text}; it takes {winner.figures.over_bound:.2f} times the bound, which is set by "
    said += binds.get(bound.binds, bound.binds)
    if winner.figures.communication_share < NEGLIGIBLE:
        return f"{said}, and loses next to nothing to links."
    free = winner.figures.other_cycles / bound.cycles
    return f"{said}, and would take {free:.2f} times the bound if links took no time."


def _runner_up(winner: Chosen, other: Chosen) -> str:
    """The other layout, how much slower it is, and what its schedule has different."""
    layout = describe_layout(other.candidate.layout)
    ratio = other.figures.cycles / winner.figures.cycles
    change = schedule_difference(other.candidate.schedule, winner.candidate.schedule)
    schedule = f"with another schedule ({change})" if change else "with the same schedule"
    text = f"The runner-up, {schedule}, is {layout}; it takes"
    if other.figures.cycles == winner.figures.cycles:
        return f"{text} as long, but was found later."
    if ratio < 1:
        return (
            f"{text} {ratio:.3f} times as long, but in the shorter run that the search compares it is slower."
        )
    return f"{text} {ratio:.3f} times as long."


def _structure(winner: Figures, other: Figures) -> list[str]:
    """Devices, exchanges and distances, where they differ."""
    parts = []
    if winner.devices_used != other.devices_used:
        parts.append(f"uses {counted(winner.devices_used, 'device')} instead of {other.devices_used}")
    if winner.exchanges_per_step != other.exchanges_per_step:
        exchanges = counted(winner.exchanges_per_step, "exchange")
        parts.append(f"waits for {exchanges} a step instead of {other.exchanges_per_step}")
    if winner.hops < other.hops:
        near = f"{winner.hops:g} link {'latency' if winner.hops == 1 else 'latencies'}"
        parts.append(f"keeps the owners of h within {near} instead of {other.hops:g}")
    elif winner.hops > other.hops:
        parts.append(f"spreads the owners of h over {winner.hops:g} link latencies instead of {other.hops:g}")
    return [f"The winner {joined(parts)}."] if parts else []


def _conventional(name: str, figures: Figures, winner: Figures) -> str:
    """The best conventional plan beside the winner."""
    text = f"The best conventional plan, {name}, takes"
    if figures.cycles == winner.cycles:
        return f"{text} as long."
    more = differences(winner, figures)
    return f"{text} {figures.cycles / winner.cycles:.2f} times as long" + (f": it {more}." if more else ".")
