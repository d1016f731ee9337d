"""The interpreter: a program with numbers, on devices that have nothing but their own memories.

Each device is given the blocks of the matrices that its plan says it owns, the data from outside
and the states before the first step. Everything else it must compute itself or be sent. First the
program runs without numbers, as `bench.numerics.books` says, which finds whatever is read and is not there.
Then it runs with numbers: what devices do alike and independently is done at once. So a run that ends
proves that lowering has derived every message, that no dependence is missing from what the emulator
times, and gives the numbers.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from bench.numerics.books import Books
from bench.numerics.complete import check_done
from bench.numerics.numbers import Numbers
from bench.numerics.results import Results
from bench.numerics.schedule import make_batches
from bench.numerics.values import State, Values
from bench.plans.plan import Plan
from bench.plans.program import Program
from bench.workloads.model import EXTERNAL, Workload
from bench.workloads.parameters import Sequences

Array = NDArray[Any]

KEPT_STEPS = 3
"""Steps of a layer whose numbers are kept: the present one, and those that it or a layer behind it reads."""


def interpret(
    program: Program, plan: Plan, workload: Workload, numbers: Numbers, inputs: Sequences
) -> dict[str, Array]:
    """Run ``program``, lowered from ``plan``; every layer's h, (steps, batch, output_size), in order of time.

    Raises BrokenProgram, naming instruction, device and range, if it reads what its device does not
    hold or does not wait for what it reads, or if a sum lacks columns or has some twice.
    """
    layers = {layer.name: layer for layer in workload.layers}
    books, results = Books(program, plan, workload), Results(workload, numbers)
    state = State(numbers, {name: numbers.external(values) for name, values in inputs.items()})
    for number, phase in enumerate(program.phases):
        tasks = books.tasks(number, phase)
        memories = books.memories[number]
        # a layer may read what another made as many steps ago as it lags behind it
        window = KEPT_STEPS + max((i.first for i in phase.instructions), default=0)
        kept = any(
            books.phase_of[feed.producer] == number != books.phase_of[layer.name]
            for layer in workload.layers
            for feed in layer.inputs
            if feed.producer != EXTERNAL
        )
        state.phases.append(Values(memories, layers, numbers, workload.batch, window, kept=kept))
        batches = make_batches(tasks, numbers, results)
        for iteration in range(phase.iterations):
            for first, count, batch in batches:
                if 0 <= iteration - first < count:
                    batch.run(state, iteration - first)
        state.now.forget_sums()
    whole = results.whole()
    check_done(program, plan, layers)
    return whole
