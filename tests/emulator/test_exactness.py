"""The emulator is exact: it agrees with a slow simulator, and what it extrapolates with what it would run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles
from bench.errors import Unsupported
from bench.experiments import Point, expand, load_config, read_workload
from bench.hardware.profile import Overlay
from bench.partitioners import load_partitioner, partitioner_names
from bench.plans.lower import lower
from bench.plans.program import Dependence, Instruction, Phase, Program, Start, Unit, Wait
from tests.emulator.reference import reference_cycles
from tests.strategies import SMALL_OVERLAY, clusters, plans, workloads

RAW_PROGRAMS, LOWERED_PROGRAMS = 350, 250
LONGEST_SEARCH = 8
"""FPGAs: the search of `full` for large networks on more takes half a minute."""


@st.composite
def overlays(draw: st.DrawFn) -> Overlay:
    """The small overlay with any latencies."""
    return replace(
        SMALL_OVERLAY,
        matrix_latency_cycles=draw(st.integers(0, 6)),
        multifunction_latency_cycles=draw(st.integers(0, 4)),
        writeback_latency_cycles=draw(st.integers(0, 3)),
        instruction_issue_cycles=draw(st.integers(0, 9)),
        input_load_cycles=draw(st.integers(0, 9)),
        vector_cycles=draw(st.integers(1, 4)),
        step_interval_cycles=draw(st.sampled_from([0, 5, 40])),
    )


@st.composite
def loop_bodies(draw: st.DrawFn, devices: int, links: int, groups: int) -> Phase:
    """Any instructions of any units, with any dependences on earlier ones or earlier iterations."""
    units = draw(st.lists(st.sampled_from([Unit.MATRIX, Unit.VECTOR, Unit.LINK]), min_size=1, max_size=8))
    vectors = [0 if unit is Unit.LINK else draw(st.integers(1, 5)) for unit in units]
    instructions = []
    for n, unit in enumerate(units):
        is_link = unit is Unit.LINK
        waits: dict[tuple[int, int], Wait] = {}
        for _ in range(draw(st.integers(0, 3))):
            on = draw(st.integers(0, len(units) - 1))
            back = draw(st.integers(0 if on < n else 1, 3))
            chained = vectors[on] == vectors[n] > 0 and draw(st.booleans())
            waits[on, back] = Wait.BLOCKS if chained else Wait.ALL
        server = draw(st.integers(0, (links if is_link else devices) - 1))
        group = draw(st.integers(-1 if is_link else 0, groups - 1))
        blocks = draw(st.integers(1, vectors[n])) if unit is Unit.MATRIX else vectors[n]
        instructions.append(
            Instruction(
                unit=unit,
                server=server,
                blocks=1 if is_link else blocks,
                interval=1 if unit is Unit.VECTOR else draw(st.integers(0 if is_link else 1, 5)),
                latency=0 if unit is Unit.VECTOR else draw(st.integers(0, 12)),
                first=draw(st.integers(0, 3)),
                count=draw(st.integers(1, 25)),
                group=group,
                to_group=draw(st.integers(-1, groups - 1)) if is_link else group,
                starts_step=Start.NOT_FIRST if is_link else draw(st.sampled_from(Start)),
                waits=tuple(Dependence(*key, wait) for key, wait in sorted(waits.items())),
                layer="any",
                what=f"instruction {n}",
                device=server,
                to_device=server,
                vectors=vectors[n],
            )
        )
    return Phase(tuple(instructions), iterations=draw(st.integers(1, 25)))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """One or two phases on up to three devices and links."""
    devices, links, groups = (draw(st.integers(1, 3)) for _ in range(3))
    phases = draw(st.lists(loop_bodies(devices, links, groups), min_size=1, max_size=2))
    return Program(tuple(phases), devices, links, groups)


def messages(program: Program) -> int:
    """Messages in one iteration of each phase."""
    return sum(i.unit is Unit.LINK for phase in program.phases for i in phase.instructions)


def test_engine_equals_reference_on_any_program() -> None:
    """The engine ends in the cycle of the slow simulator, whatever the instructions are."""
    with_messages: list[bool] = []

    @settings(max_examples=RAW_PROGRAMS, suppress_health_check=[HealthCheck.too_slow])
    @given(programs(), overlays())
    def check(program: Program, overlay: Overlay) -> None:
        with_messages.append(messages(program) > 0)
        assert count_cycles(program, overlay) == reference_cycles(program, overlay)

    check()
    assert len(with_messages) >= RAW_PROGRAMS
    assert sum(with_messages) > RAW_PROGRAMS // 3


def test_engine_equals_reference_on_random_plans() -> None:
    """The same for random plans of random networks on clusters of every topology."""
    with_messages: list[bool] = []

    @settings(max_examples=LOWERED_PROGRAMS, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        workload = data.draw(workloads())
        few_steps = tuple(replace(layer, steps=1 + layer.steps % 8) for layer in workload.layers)
        workload = replace(workload, layers=few_steps)
        cluster, overlay = data.draw(clusters()), data.draw(overlays())
        program = lower(data.draw(plans(workload, cluster)), workload, cluster)
        with_messages.append(messages(program) > 0)
        assert count_cycles(program, overlay) == reference_cycles(program, overlay)

    check()
    assert len(with_messages) >= LOWERED_PROGRAMS
    assert sum(with_messages) > LOWERED_PROGRAMS // 3


def one_product(blocks: int, vectors: int) -> Program:
    """A product of ``vectors`` native vectors whose gate shares row blocks with its neighbours."""
    product = Instruction(
        unit=Unit.MATRIX, server=0, blocks=blocks, interval=3, latency=5, first=0, count=1, group=0,
        to_group=0, starts_step=Start.NOT_FIRST, waits=(), layer="l", what="product", device=0,
        to_device=0, vectors=vectors,
    )  # fmt: skip
    return Program((Phase((product,), iterations=1),), devices=1, links=1, groups=1)


def until_written(interval_ends: int) -> int:
    """Load, the row blocks until the last vector may leave, the matrix pipeline, both units, write-back."""
    return 7 + interval_ends + 5 + 3 + 2


@pytest.mark.parametrize("cycles", [count_cycles, reference_cycles])
@pytest.mark.parametrize(("blocks", "last_leaves"), [(3, 9), (2, 6 + 1), (1, 3 + 2)])
def test_gates_that_share_row_blocks(
    cycles: Callable[[Program, Overlay], int], blocks: int, last_leaves: int
) -> None:
    """Three vectors of two blocks: the last block holds rows of the last two, which leave one by one."""
    assert cycles(one_product(blocks, 3), SMALL_OVERLAY) == until_written(last_leaves)


@pytest.fixture(scope="module")
def points(root: Path) -> tuple[Point, ...]:
    """All points of the default configuration."""
    config = load_config(root / "config" / "default.yaml")
    return tuple(dict.fromkeys(p for experiment in config.experiments for p in expand(experiment)))


def configured_programs(
    points: tuple[Point, ...], partitioner: str
) -> Iterator[tuple[str, Program, Overlay]]:
    """The programs of one partitioner, each with and without software pipelining where it has both."""
    seen: set[Point] = set()
    for point in points:
        if point.partitioner != partitioner or (partitioner == "full" and point.fpgas > LONGEST_SEARCH):
            continue
        known = load_partitioner(partitioner)
        configured = json.loads(point.parameters)
        choices = [configured]
        if "software_pipelining" in known.parameters:
            choices = [{**configured, "software_pipelining": choice} for choice in (False, True)]
        for parameters in choices:
            question = replace(point, parameters=json.dumps(parameters, sort_keys=True))
            if question in seen:
                continue
            seen.add(question)
            workload, cluster = read_workload(point.workload), point.cluster
            try:
                plan = known.plan(workload, cluster, **parameters)
            except Unsupported:
                continue
            yield str(question), lower(plan, workload, cluster), cluster.profile.overlay


@pytest.mark.slow
@pytest.mark.parametrize("partitioner", sorted(partitioner_names(), key=lambda name: "full" not in str(name)))
def test_extrapolation_is_exact_on_the_default_configuration(
    partitioner: str, points: tuple[Point, ...]
) -> None:
    """What is extrapolated equals the run of every iteration, for all that reproduce-all evaluates."""
    wrong: dict[str, tuple[int, int]] = {}
    count = 0
    for question, program, overlay in configured_programs(points, partitioner):
        count += 1
        cycles = count_cycles(program, overlay), count_cycles(program, overlay, extrapolate=False)
        if cycles[0] != cycles[1]:
            wrong[question] = cycles
    assert wrong == {}
    assert count > 0


def test_lowered_programs_chain_vectors_one_to_one() -> None:
    """Chained instructions have equally many vectors, and no product has more row blocks than vectors."""

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        workload, cluster = data.draw(workloads()), data.draw(clusters())
        for phase in lower(data.draw(plans(workload, cluster)), workload, cluster).phases:
            for i in phase.instructions:
                chained = [phase.instructions[w.on] for w in i.waits if w.wait is Wait.BLOCKS]
                assert all(source.vectors == i.vectors for source in chained)
                assert i.unit is Unit.LINK or i.blocks <= i.vectors

    check()
