"""The published form of plans: schema and reader agree, and mistakes are named with their lines."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bench.errors import InvalidPlan, UserError
from bench.experiments import Point, read_workload
from bench.isolation.answer import plan_text
from bench.partitioners import load_partitioner, partitioner_names
from bench.partitioners.plan_folders import plan_from_text
from bench.plans.form import NEEDED, parse_json, read_form, schema_text

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Draft202012Validator(json.loads(schema_text()))
POINT = Point("dac20/blstm-4", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 4, "mine/")
GIVEN = {"profile": POINT.profile, "topology": "ring", "link": "dac20-ring", "link_latency_ns": 1000.0}

SMALL: dict[str, Any] = {
    "plan_format": 1,
    "workload": "rnn-4-b1-t2",
    "fpgas": 2,
    "link_latency_ns": 250,
    "partitioner": "mine",
    "blocks": [{"layer": "rnn", "matrix": "h.x", "rows": [0, 4], "cols": [0, 4], "device": 0}],
    "vectors": [{"layer": "rnn", "stage": "h", "rows": [0, 4], "device": 0}],
    "groups": [[0], [1]],
    "software_pipelined": ["rnn"],
    "streamed": [{"layer": "rnn", "parts": 2}],
    "copies": [{"items": 1, "devices": [0]}],
    "wavefront": False,
    "notes": ["all on one device"],
}
"""A plan of the right form; whether it is a valid plan is another question."""


def read(value: object) -> bool:
    """Whether the reader takes a value as a plan file."""
    try:
        read_form(json.dumps(value), "plan.json", GIVEN)
    except UserError:
        return False
    return True


def test_published_schema_is_current() -> None:
    """docs/schemas/plan.schema.json is what the code generates."""
    path = ROOT / "docs/schemas/plan.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m bench.plans.form > docs/schemas/plan.schema.json"
    )
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("name", partitioner_names())
def test_plans_agree_with_the_schema(name: str) -> None:
    """What the suite itself writes of a plan, with what it is for, is of the published form."""
    plan = load_partitioner(name).plan(read_workload(POINT.workload), POINT.cluster)
    value = json.loads(plan_text(plan)) | {"workload": POINT.workload, "fpgas": 4}
    assert SCHEMA.is_valid(value)
    assert read_form(json.dumps(value), "plan.json", GIVEN).plan().plan_id == plan.plan_id


@pytest.mark.parametrize("key", sorted(SMALL))
def test_needed_keys(key: str) -> None:
    """Schema and reader miss the same keys."""
    value = {name: content for name, content in SMALL.items() if name != key}
    assert SCHEMA.is_valid(value) == read(value) == (key not in NEEDED)


PLACES: list[tuple[int | str, ...]] = [
    *((key,) for key in [*SMALL, "profile", "colour"]),
    *(("blocks", 0, key) for key in ("layer", "matrix", "rows", "cols", "device", "colour")),
    *(("vectors", 0, key) for key in ("stage", "rows", "device")),
    *(("streamed", 0, key) for key in ("layer", "parts", "ahead")),
    *(("copies", 0, key) for key in ("items", "devices")),
    ("blocks", 0, "rows", 1), ("groups", 0), ("groups", 0, 0), ("notes", 0),
]  # fmt: skip
VALUES = st.sampled_from(
    [0, 1, 2, -1, 1.0, 4.0, 2.5, 1e3, True, None, "1", "rnn", "ring", [], [0, 4], [1], [0, 2, 4], ["rnn"],
     [[0, 1]], {}, [{}], [{"items": 0, "devices": []}]]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
def test_schema_and_reader_agree(changes: list[tuple[tuple[int | str, ...], object]]) -> None:
    """Whatever stands at whatever place, either both take the file or both refuse it."""
    value = deepcopy(SMALL)
    for (*above, last), content in changes:
        inner: Any = value
        for part in above:
            inner = inner[part] if isinstance(inner, dict | list) and _has(inner, part) else None
        if isinstance(inner, dict) or (isinstance(inner, list) and _has(inner, last)):
            inner[last] = content
    assert SCHEMA.is_valid(value) == read(value)


def _has(inner: Any, part: int | str) -> bool:
    return part in inner if isinstance(inner, dict) else isinstance(part, int) and part < len(inner)


def test_all_mistakes_are_named() -> None:
    """File, key, what was found, and the line, for each of them; a misspelt key with the right one."""
    text = '{"workload": "rnn-4-b1-t2", "fpgas": 2, "blokcs": [],\n "vectors": [{"layer": "rnn",\n'
    text += ' "stage": "h", "rows": [0], "device": -1}], "groups": []}'
    with pytest.raises(UserError) as caught:
        read_form(text, "plan.json", GIVEN)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("plan.json: blokcs: unknown key; did you mean 'blocks'") for line in lines)
    assert any(
        line.startswith("plan.json: vectors[0].device: ") and "got -1, line 3" in line for line in lines
    )
    assert any(line.startswith("plan.json: vectors[0].rows: ") for line in lines)
    assert any(line.startswith("plan.json: blocks: missing") for line in lines)


@pytest.mark.parametrize("text", ["", "[1, 2", '{"fpgas": NaN}', "workload: yaml"])
def test_no_json(text: str) -> None:
    """What is not JSON is said to be none, also where YAML would take it."""
    with pytest.raises(UserError, match=r"plan.json: is not JSON: "):
        read_form(text, "plan.json", GIVEN)


def test_whole_numbers_with_a_point() -> None:
    """As JSON Schema has it, 4.0 is a whole number and 4.5 is none; so too for what a plug-in hands in."""
    assert parse_json("[4.0, 1e3, 4.5, -0.0]") == [4, 1000, 4.5, 0]
    assert [type(one) for one in parse_json("[4.0, 4.5]")] == [int, float]
    text = json.dumps(SMALL).replace("[0, 4]", "[0.0, 4.0]")
    assert plan_from_text(text, POINT).blocks[0].rows == (0, 4)
    with pytest.raises(InvalidPlan, match="rows"):
        plan_from_text(text.replace("4.0", "4.5"), POINT)
