"""Workloads built in Python are checked like those from files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.workloads.build import single_layer
from bench.workloads.check import check_workload
from bench.workloads.describe import describe, products
from bench.workloads.model import EXTERNAL, Combine, Input, Layer, Workload, phases

A = Layer("a", "lstm", 4, 8, 12)
B = Layer("b", "lstm", 8, 6, 12, inputs=(Input("a", 8),))


def refusal(*layers: Layer, batch: int = 1) -> str:
    """What a workload of these layers is told."""
    with pytest.raises(UserError) as caught:
        check_workload(Workload("w", layers, batch=batch))
    return str(caught.value)


def test_a_good_workload_passes() -> None:
    """Nothing is raised."""
    check_workload(Workload("w", (A, B)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": 0}, "layer 'b': hidden_size is 0; expected 1 or more"),
        ({"projection_size": -1}, "layer 'b': projection_size is -1"),
        ({"steps": 0}, "layer 'b': steps is 0"),
        ({"cell": "linear", "skip_input": True}, "skip_input leaves a linear layer without a product"),
        (
            {"skip_input": True, "hidden_size": 8},
            "layer 'b': skip_input is for a layer with one input, from outside, not from 'a'; remove it",
        ),
        (
            {"skip_input": True, "hidden_size": 8, "inputs": (Input(EXTERNAL, 4), Input(EXTERNAL, 4))},
            "not from 'input', 'input'; remove it",
        ),
        ({"inputs": ()}, "layer 'b' has no inputs"),
        ({"inputs": (Input("z", 8),)}, "layer 'b' takes input from 'z', which is no layer"),
        ({"inputs": (Input("a", 8, delay=2),)}, "layer 'b': delay is 2; expected 0 or 1"),
        ({"inputs": (Input("a", 8, time_reduction=0),)}, "layer 'b': time reduction is 0"),
        ({"inputs": (Input("a", 7),), "input_size": 7}, "takes 7 elements from layer 'a', which delivers 8"),
        ({"inputs": (Input("a", 8), Input(EXTERNAL, 0))}, "the input from 'input' has 0 elements"),
        ({"inputs": (Input(EXTERNAL, 8, delay=1),)}, "has neither delay nor time reduction"),
        ({"input_size": 9}, "layer 'b' expects 9 input elements but gets 8 (8 from layer 'a')"),
        ({"steps": 6}, "layer 'b' runs 6 steps, but layer 'a' delivers 12"),
        ({"name": "a"}, "2 layers are called 'a'"),
        ({"after": ("b",)}, "cycle within one step (b -> b)"),
    ],
)
def test_each_mistake_is_named(change: dict[str, Any], words: str) -> None:
    """The layer, the value and what is expected."""
    assert words in refusal(A, replace(B, **change))


def test_all_mistakes_of_a_kind_come_at_once() -> None:
    """Each is a line with the workload's name."""
    text = refusal(replace(A, hidden_size=0), replace(B, steps=-1), batch=0)
    assert len(text.splitlines()) == 3
    assert all(line.startswith("workload 'w': ") for line in text.splitlines())


def test_layers_stand_in_topological_order() -> None:
    """A consumer before its producer is refused, and so is an empty workload."""
    assert "layer 'b' stands before 'a', which feeds it; put it behind" in refusal(B, A)
    assert "has no layers" in refusal()


def test_feedback_stays_within_a_phase() -> None:
    """A backward layer cannot give a forward one its step before."""
    back = Layer("c", "lstm", 8, 4, 12, inputs=(Input("a", 8),), direction="backward")
    first = replace(A, inputs=(Input("c", 4, delay=1),))
    assert "does not advance through time together with it; remove the delay" in refusal(first, back)


@pytest.mark.parametrize("reduction", ["concat", "sum"])
def test_feedback_is_between_equal_steps(reduction: Combine) -> None:
    """The step before of a layer of twice as many steps is none that a loop over both could take."""
    size = 16 if reduction == "concat" else 8
    feeds = (Input("a", size, 1, 2, reduction), Input(EXTERNAL, 2))
    half = Layer("half", "rnn_tanh", size + 2, 6, 6, feeds)
    assert refusal(A, half) == (
        "workload 'w': layer 'half' runs 6 steps and takes the step before from layer 'a', which runs 12; "
        "a delay needs as many steps on both sides, so remove the delay or the time reduction"
    )
    check_workload(Workload("w", (A, replace(half, inputs=(replace(feeds[0], delay=0), feeds[1])))))


@given(
    hidden=st.integers(1, 4096),
    layers=st.integers(1, 6),
    steps=st.integers(1, 2000),
    batch=st.integers(1, 8),
)
def test_stacks_of_any_size_are_one_phase(hidden: int, layers: int, steps: int, batch: int) -> None:
    """They pass the check, and their work is what their weights say."""
    stack = [Layer("l0", "gru", 3, hidden, steps)]
    stack += [
        Layer(f"l{n}", "gru", hidden, hidden, steps, inputs=(Input(f"l{n - 1}", hidden),))
        for n in range(1, layers)
    ]
    workload = Workload("w", tuple(stack), batch=batch)
    check_workload(workload)
    assert phases(workload) == (workload.layers,)
    assert workload.macs == batch * steps * workload.weights
    assert workload.weights == 3 * hidden * (3 + hidden + (layers - 1) * 2 * hidden)


def test_description_tells_shape_work_and_assumptions() -> None:
    """One line a layer, the totals, and what was assumed."""
    workload = replace(Workload("w", (A, B), batch=2), source="a paper", assumptions=("batch 2",))
    assert describe(workload) == (
        "w: 2 layers, 12 time steps, batch 2\n"
        "  weights 720 (0.0 M), MACs a run 17,280 (1.73e-05 G)\n"
        "  phase 1\n"
        "    a: lstm 4 -> 8; 12 steps; from outside\n"
        "    b: lstm 8 -> 6; 12 steps; from a\n"
        "  source: a paper\n"
        "  assumptions:\n"
        "    - batch 2"
    )


def test_description_tells_what_is_special_about_a_layer() -> None:
    """Projection, direction, reset, skipped product, feedback and time reduction."""
    low = Layer("low", "lstm", 4, 8, 6)
    top = Layer(
        "top", "gru", 8, 8, 3, (Input("low", 8, 0, 2, "sum"), Input("top", 8, 1)), "sum", "backward",
        projection_size=8, reset="after", skip_input=True, after=("low",),
    )  # fmt: skip
    assert (
        "top: gru 8 -> 8; projected to 8; backward; reset after the candidate's product; "
        "input product skipped; after low; 3 steps; from low (2 steps summed) + top (step before)"
    ) in describe(Workload("w", (low, top)))


def test_products_are_named() -> None:
    """The word that the tables of results use."""
    assert products(single_layer("w", "gru", 8, batch=1, steps=2)) == "input+recurrent"
    assert products(single_layer("w", "gru", 8, batch=1, steps=2, skip_input=True)) == "recurrent"
    assert products(single_layer("w", "linear", 8, batch=1, steps=1)) == "input"
