"""From recorded times to spans: where an instruction keeps which unit busy."""

from __future__ import annotations

from collections.abc import Container, Iterator

from bench.emulator.engine import ARRIVE, DEPART, DONE, ENTER, LEAVE, START
from bench.plans.operations import AddSums, Finish, Move, Multiply, Operation, SumInputs
from bench.plans.plan import Range
from bench.plans.program import Instruction, Unit
from bench.timeline.recording import RecordedPhase
from bench.timeline.spans import LOADER, MATRIX, MULTIFUNCTION, RECEIVE, SEND, Span


def iteration_spans(
    recorded: RecordedPhase, iteration: int, critical: Container[tuple[int, int, str]], first_message: int
) -> Iterator[Span]:
    """The spans of all instructions that run in ``iteration``.

    ``critical``: iteration, instruction and unit of what the end of the run waits for. Messages are numbered
    from ``first_message`` on.
    """
    each = int(recorded.costs[3])
    instructions = recorded.phase.instructions
    for number, (i, times) in enumerate(zip(instructions, recorded.times[iteration].tolist(), strict=False)):
        if times[DONE] < 0:
            continue
        for unit, start, end in _busy(i, times, each):
            on_path = (iteration, number, SEND if unit == RECEIVE else unit) in critical
            sends = i.unit is Unit.LINK
            here, there = (i.to_device, i.device) if unit == RECEIVE else (i.device, i.to_device)
            yield Span(
                device=here,
                unit=unit,
                peer=there if sends else None,
                start=start,
                end=end,
                layer=i.layer,
                what=i.what,
                step=iteration - i.first,
                critical=on_path,
                rows=_rows(i.does),
                macs=i.macs if unit == MATRIX else 0,
                size_bytes=i.size_bytes,
                message=first_message + iteration * len(instructions) + number if sends else None,
            )


def _busy(i: Instruction, times: list[int], each: int) -> Iterator[tuple[str, int, int]]:
    """Units that the instruction occupies, from when until when.

    ``each``: cycles of a native vector. A message arrives as long as it was sent, a flight later.
    """
    if i.unit is Unit.LINK:
        yield SEND, times[START], times[START] + i.interval
        yield RECEIVE, times[DONE] - i.interval, times[DONE]
        return
    if i.unit is Unit.LOAD:
        yield LOADER, times[START], times[START] + i.interval
        return
    if i.unit is Unit.MATRIX:
        yield MATRIX, times[START], times[START] + i.blocks * i.interval
    yield MULTIFUNCTION, times[ENTER], times[LEAVE] + each
    yield LOADER, times[ARRIVE], times[DEPART] + each


def _rows(does: tuple[Operation, ...]) -> str:
    """Row ranges of what the operations make or carry, joined where they meet."""
    found: set[Range] = set()
    for operation in does:
        if isinstance(operation, Multiply | Finish):
            found.add(operation.rows)
        elif isinstance(operation, Move):
            found.update(carried.rows for carried in operation.carries)
        elif isinstance(operation, AddSums):
            found.update(term.rows for term in operation.terms)
        elif isinstance(operation, SumInputs):
            found.update(operation.cols)
    joined: list[Range] = []
    for start, stop in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return ", ".join(f"{start}:{stop}" for start, stop in joined)
