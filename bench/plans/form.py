"""The published form of plans: JSON that any tool may write, its schema, and reading it with all mistakes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ValidationError

from bench.errors import UserError
from bench.files import as_text, check_data, json_schema, parse_document
from bench.plans.files import PLAN_FORMAT, PlanFile

NEEDED = ("workload", "fpgas", "blocks", "vectors", "groups")
"""Keys that a file must have; for the others there is something to take where they are left out."""

FILLED_IN: Mapping[str, object] = {"plan_format": PLAN_FORMAT, "partitioner": ""}
"""What a file that leaves these keys out means."""


def parse_json(text: str) -> Any:
    """The value of JSON; a number without a fraction is whole, however it is written (``4.0``, ``1e3``).

    Some languages know no other numbers. Raises ValueError if it is not JSON, NaN and Infinity included.
    """
    return json.loads(text, parse_float=_number, parse_constant=_no_number)


def read_form(text: str, name: str, given: Mapping[str, object]) -> PlanFile:
    """A plan with what it is for; keys that it leaves out are as ``given``.

    Raises UserError that names the file ``name``, lines and keys, with all that is wrong with its form.
    """
    try:
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        expected = "expected an object with blocks, vectors and groups"
        raise UserError(f"{name}: holds a {type(value).__name__}; {expected}")
    whole = {**FILLED_IN, **given, **value}
    try:
        return PlanFile.model_validate(whole)
    except ValidationError:
        document = parse_document(text.rstrip() + "\n", name)  # slower, and knows the lines
        return check_data(document, whole, PlanFile)


def schema_text() -> str:
    """The JSON Schema of plans, for tools that write them; kept in docs/schemas/plan.schema.json."""
    schema = json.loads(json_schema(PlanFile, "Plan: who owns what, and what it is a plan for"))
    return as_text(schema | {"required": list(NEEDED)})


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


if __name__ == "__main__":
    print(schema_text(), end="")
