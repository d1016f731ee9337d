"""Whether an instruction waits for another: small loop bodies by hand, and random ones unrolled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.numerics.order import Order
from bench.plans.program import Dependence, Instruction, Phase, Start, Unit, Wait

ITERATIONS = 6


def instruction(*waits: Dependence) -> Instruction:
    """An instruction with these dependences; nothing else about it counts."""
    return Instruction(
        unit=Unit.VECTOR, server=0, blocks=1, interval=1, latency=0, first=0, count=ITERATIONS, group=0,
        to_group=0, starts_step=Start.NOT_FIRST, waits=waits, layer="l", what="w", device=0, to_device=0,
    )  # fmt: skip


def order(*waits: tuple[Dependence, ...]) -> Order:
    """The order of a loop body of so many instructions."""
    return Order(Phase(tuple(instruction(*each) for each in waits), ITERATIONS))


def test_waiting_directly_and_through_others() -> None:
    """2 waits for 1, which waits for 0; 1 for neither 2 nor a later iteration's 0."""
    body = order((), (Dependence(0, 0),), (Dependence(1, 0),))
    assert body.follows(1, 0, 0, whole=True)
    assert body.follows(2, 0, 0, whole=True)
    assert not body.follows(1, 2, 0, whole=True)
    assert not body.follows(0, 1, 0, whole=True)


def test_a_unit_works_in_order() -> None:
    """What has waited for this iteration's result has waited for those before; not the other way round."""
    body = order((), (Dependence(0, 0),), (Dependence(0, 2),))
    assert body.follows(1, 0, 3, whole=True)
    assert body.follows(2, 0, 2, whole=True)
    assert not body.follows(2, 0, 1, whole=True)


def test_an_instruction_follows_its_earlier_results_only_if_it_waits() -> None:
    """The unit may start it again while the result before is still in the pipeline."""
    body = order((), (Dependence(1, 1),))
    assert body.follows(0, 0, 0, whole=True)
    assert not body.follows(0, 0, 1, whole=True)
    assert body.follows(0, 0, 1, whole=False)
    assert body.follows(1, 1, 1, whole=True)
    assert body.follows(1, 1, 2, whole=True)


def test_vector_by_vector_is_not_the_whole_result() -> None:
    """A chained wait suffices for the same rows only, and anywhere on the way a whole wait makes it whole."""
    body = order((), (Dependence(0, 0, Wait.BLOCKS),), (Dependence(1, 0),), (Dependence(1, 0, Wait.BLOCKS),))
    assert body.follows(1, 0, 0, whole=False)
    assert not body.follows(1, 0, 0, whole=True)
    assert body.follows(2, 0, 0, whole=True)
    assert not body.follows(3, 0, 0, whole=True)


def test_waiting_for_a_unit_is_waiting_for_the_whole_result() -> None:
    """Overlays with tags wait for the whole result before the unit that reads it."""
    body = order((), (Dependence(0, 0, Wait.UNITS),))
    assert body.follows(1, 0, 0, whole=True)


@st.composite
def bodies(draw: st.DrawFn) -> list[tuple[Dependence, ...]]:
    """Loop bodies of up to five instructions that wait for earlier ones."""
    made = []
    for n in range(draw(st.integers(2, 5))):
        waits = []
        for on in range(5):
            back = draw(st.integers(0 if on < n else 1, 3))
            if draw(st.booleans()):
                waits.append(Dependence(on, back, draw(st.sampled_from([Wait.ALL, Wait.BLOCKS]))))
        made.append(tuple(waits))
    size = len(made)
    return [tuple(wait for wait in waits if wait.on < size) for waits in made]


@given(bodies(), st.integers(0, 3), st.booleans())
def test_agrees_with_the_loop_unrolled(waits: list[tuple[Dependence, ...]], back: int, whole: bool) -> None:
    """The same answers as following every dependence of every iteration, far from the first one."""
    size, last = len(waits), 20
    body = Order(Phase(tuple(instruction(*each) for each in waits), last + 1))
    for reader in range(size):
        # (instruction, iteration) -> whether a whole wait is on some way to it
        reached: set[tuple[int, int, bool]] = set()
        front = [(reader, last, False)]
        while front:
            n, iteration, complete = front.pop()
            for wait in waits[n]:
                node = (wait.on, iteration - wait.back, complete or wait.wait is Wait.ALL)
                if node[1] >= 0 and node not in reached:
                    reached.add(node)
                    front.append(node)
        for writer in range(size):
            found = any(
                n == writer and iteration >= last - back and (complete or not whole)
                for n, iteration, complete in reached
            )
            assert body.follows(reader, writer, back, whole=whole) == (
                found or (reader == writer and not (back and whole))
            )
