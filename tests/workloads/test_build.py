"""The YAML format: what each way of writing a layer means, and what its mistakes are told."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from bench.errors import UserError
from bench.files import parse_yaml
from bench.workloads.build import build_workloads
from bench.workloads.catalogue import MODELS
from bench.workloads.model import EXTERNAL, Input, Workload
from bench.workloads.schema import SCHEMA_FILE, WorkloadFile, schema_text


def build(layers: str, head: str = "name: w\nsteps: 12\n") -> Workload:
    """The workload with these layers (a line each)."""
    text = head + "layers:\n" + "".join(f"- {line.strip()}\n" for line in layers.strip().splitlines())
    (workload,) = build_workloads(parse_yaml(text, "w.yaml", WorkloadFile)).values()
    return workload


def refusal(layers: str, head: str = "name: w\nsteps: 12\n") -> str:
    """What these layers are told."""
    with pytest.raises(UserError) as caught:
        build(layers, head)
    return str(caught.value)


A = "{name: a, cell: lstm, input_size: 4, hidden_size: 8}"


def test_layers_stack_unless_told_otherwise() -> None:
    """The first takes data from outside, each other the one listed before it."""
    workload = build(f"{A}\n{{name: b-1..2, cell: gru, hidden_size: 6}}")
    assert [layer.name for layer in workload.layers] == ["a", "b-1", "b-2"]
    assert [layer.input_size for layer in workload.layers] == [4, 8, 6]
    assert workload.layers[2].inputs == (Input("b-1", 6),)
    assert workload.layers[1].reset == "before"


def test_the_same_graph_may_be_listed_in_any_order() -> None:
    """Layers come out in topological order."""
    workload = build(f"{{name: b, cell: lstm, hidden_size: 6, inputs: [a]}}\n{A[:-1]}, inputs: [input]}}")
    assert [layer.name for layer in workload.layers] == ["a", "b"]


def test_plain_input_is_what_input_size_leaves() -> None:
    """`input` beside another layer takes the rest; `external` says its own size."""
    rest = build(f"{A}\n{{name: b, cell: lstm, input_size: 11, hidden_size: 6, inputs: [a, input]}}")
    said = build(f"{A}\n{{name: b, cell: lstm, hidden_size: 6, inputs: [below, {{external: 3}}]}}")
    assert rest == said
    assert rest.layers[1].inputs == (Input("a", 8), Input(EXTERNAL, 3))


def test_merging_directions() -> None:
    """A bidirectional layer is concatenated or summed; one direction may be named alone."""
    both = "{name: a, cell: lstm, input_size: 4, hidden_size: 8, direction: both, merge: %s}"
    upper = "{name: b, cell: lstm, hidden_size: 6}"
    assert build(f"{both % 'concat'}\n{upper}").layer("b").input_size == 16
    summed = build(f"{both % 'sum'}\n{upper}").layer("b")
    assert (summed.input_size, summed.combine) == (8, "sum")
    alone = build(f"{both % 'sum'}\n{{name: b, cell: lstm, hidden_size: 6, inputs: [a.bwd]}}").layer("b")
    assert alone.inputs == (Input("a.bwd", 8),)
    mixed = "{name: b, cell: lstm, hidden_size: 6, inputs: [a, {external: 8}]}"
    assert "merge: sum; make them agree" in refusal(f"{both % 'sum'}\n{mixed}")
    named = "{name: b, cell: lstm, hidden_size: 6, inputs: [a.up]}"
    assert "takes input from 'a.up', which is no layer" in refusal(f"{both % 'sum'}\n{named}")
    assert "'a' is not bidirectional" in refusal(f"{A}\n{named.replace('.up', '.fwd')}")


def test_sums_keep_the_width() -> None:
    """`combine: sum` adds layers of one width and refuses others."""
    two = f"{A}\n{{name: b, cell: lstm, hidden_size: %d}}\n"
    top = "{name: c, cell: lstm, hidden_size: 5, inputs: [a, b], combine: sum}"
    assert build(two % 8 + top).layer("c").input_size == 8
    assert "layer 'c' sums inputs of different widths (8 from layer 'a', 9 from layer 'b')" in refusal(
        two % 9 + top
    )


def test_a_wrong_width_names_both_layers_and_widths() -> None:
    """The layer, what it expects, and what feeds it."""
    text = refusal(f"{A}\n{{name: b, cell: lstm, input_size: 16, hidden_size: 6}}")
    assert text == (
        "workload 'w': layer 'b' expects 16 input elements but gets 8 (8 from layer 'a'); "
        "set input_size to 8 or change the inputs"
    )


def test_time_reduction_divides_steps() -> None:
    """Steps follow from the layer below, or are refused."""
    top = "{name: b, cell: lstm, hidden_size: 6, time_reduction: %d%s}"
    halved = build(f"{A}\n{top % (2, '')}").layer("b")
    assert (halved.steps, halved.input_size) == (6, 16)
    assert "time reduction 5 does not divide the 12 steps of layer 'a'" in refusal(f"{A}\n{top % (5, '')}")
    text = refusal(f"{A}\n{top % (2, ', steps: 4')}")
    assert "layer 'b' runs 4 steps, but layer 'a' delivers 6" in text


def test_feedback_needs_a_delay() -> None:
    """A cycle within one step is refused with its path; across steps it is feedback."""
    loop = "{name: a, cell: lstm, hidden_size: 8, inputs: [%s]}\n{name: b, cell: lstm, hidden_size: 8}"
    assert build(loop % "{layer: b, delay: 1}").layers[0].inputs == (Input("b", 8, delay=1),)
    assert "cycle within one step (a -> b -> a)" in refusal(loop % "b")
    own = "{name: a, cell: lstm, hidden_size: 8, inputs: [a]}"
    assert "cycle within one step (a -> a)" in refusal(own)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("{name: a, cell: lstm, hidden_size: 8}", "layer 'a' takes data from outside; give its input_size"),
        (f"{A}\n{A}", "two layers are called 'a'"),
        (f"{A[:-1]}, inputs: [below]}}", "layer 'a' has no layer below it"),
        (f"{A[:-1]}, inputs: [x]}}", "layer 'a' takes input from 'x', which is no layer of this workload"),
        (f"{A[:-1]}, after: [x]}}", "layer 'a' takes input from 'x', which is no layer of this workload"),
        (f"{A[:-1]}, reset: after}}", "reset is for gru, not for lstm"),
        (f"{A[:-1]}, merge: sum}}", "merge is for direction: both, not for forward"),
        (f"{A[:-1]}, skip_input: true}}", "skip_input needs an input as wide as the hidden vector"),
        ("{name: a-3..1, cell: lstm, hidden_size: 8}", "counts downwards; write a-1..3"),
        ("{name: a..1, cell: lstm, hidden_size: 8}", "'a..1' is no range"),
        ("{name: input, cell: lstm, hidden_size: 8}", "'input', which has a meaning in inputs"),
        (
            f"{A}\n{{name: b, cell: lstm, input_size: 8, hidden_size: 6, inputs: [a, input]}}",
            "input_size 8 leaves nothing for `input` beside the 8 elements",
        ),
        (
            "{name: a, cell: gru, input_size: 4, hidden_size: 8, projection_size: 2}",
            "projection_size is for lstm cells, not for gru",
        ),
    ],
)
def test_mistakes_name_the_layer_and_the_fix(layers: str, words: str) -> None:
    """One message each."""
    text = refusal(layers)
    assert text.startswith("workload 'w': ")
    assert words in text


def test_steps_must_be_known() -> None:
    """A workload without any time steps is refused."""
    assert "layer 'a' has no time steps; give the workload or the layer `steps`" in refusal(A, "name: w\n")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("{name: a, cell: lstm, hidden_size: -8}", "layers[0].hidden_size: should be greater than 0 (got -8"),
        ("{name: a, cell: lstn, hidden_size: 8}", "layers[0].cell: should be 'lstm', 'gru'"),
        (
            "{name: a, cell: lstm, hiden_size: 8}",
            "layers[0].hiden_size: unknown key; did you mean 'hidden_size'",
        ),
        (
            "{name: a, cell: lstm, hidden_size: 8, inputs: [{layr: b}]}",
            "layers[0].inputs[0].layr: unknown key",
        ),
        (
            "{name: a, cell: lstm, hidden_size: 8, inputs: [7]}",
            "layers[0].inputs[0]: should be a valid string",
        ),
    ],
)
def test_mistakes_of_form_name_the_key(layer: str, words: str) -> None:
    """Wrong keys and values are found before the graph is built."""
    assert words in refusal(layer)


def test_two_workloads_of_one_name_are_refused() -> None:
    """Rows of a table must not give the same problem twice."""
    text = "modes: {m: {}}\nsets:\n  s:\n  - {cell: lstm, hidden_sizes: [8], batches: [1, 1], steps: [2]}\n"
    with pytest.raises(UserError, match="workload 'm/s/lstm-8-b1-t2' is given twice"):
        build_workloads(parse_yaml(text, "t.yaml", WorkloadFile))


def test_the_json_schema_is_current() -> None:
    """If this fails: python -m bench.workloads.schema."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_catalogue_agrees_with_the_json_schema(path: object) -> None:
    """Editors see no mistake in the files, which point to the schema; they do see a wrong key."""
    text = MODELS.joinpath(str(path)).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/schemas/workload.schema.json\n")
    schema = json.loads(schema_text())
    value = yaml.safe_load(text)
    jsonschema.validate(value, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**value, "qqq": 1}, schema)
