"""The form of a sweep file: axes, which of them go together, and which points to leave out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from bench.errors import UserError
from bench.experiments import Limits, PartitionerChoice
from bench.files import FileModel, json_schema, load_yaml, shown

Value = bool | int | float | str
"""What an axis may be made of, beside choices of partitioners."""

MOST_VALUES = 100_000
"""Of one range."""

TITLE = "Sweep over a design space"


class Range(FileModel):
    """Numbers from one to another, both included: by ``step``, by ``factor``, or ``points`` evenly in log."""

    first: float = Field(alias="from")
    last: float = Field(alias="to")
    step: Annotated[float, Field(gt=0)] | None = Field(default=None, description="added from one to the next")
    factor: Annotated[float, Field(gt=1)] | None = Field(default=None, description="from one to the next")
    points: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="so many, at equal ratios, rounded to three digits"
    )

    @model_validator(mode="after")
    def _is_one_kind(self) -> Range:
        if sum(each is not None for each in (self.step, self.factor, self.points)) != 1:
            raise ValueError("a range has exactly one of step, factor and points")
        if not (math.isfinite(self.first) and math.isfinite(self.last) and self.first <= self.last):
            raise ValueError("a range goes from a number to one that is not smaller")
        if self.step is None and self.first <= 0:
            raise ValueError("a range by factor or points starts above 0")
        return self

    def values(self) -> list[int | float]:
        """The numbers; those without a fraction as integers. UserError if there are too many."""
        if self.step is not None:
            count = math.floor((self.last - self.first) / self.step + 1e-9) + 1
            found = (self.first + n * self.step for n in range(min(count, MOST_VALUES + 1)))
        elif self.factor is not None:
            count = math.floor(math.log(self.last / self.first, self.factor) + 1e-9) + 1
            found = (self.first * self.factor**n for n in range(min(count, MOST_VALUES + 1)))
        else:
            assert self.points is not None
            count, ratio = self.points, self.last / self.first
            found = (float(f"{self.first * ratio ** (n / (count - 1)):.3g}") for n in range(count))
        if count > MOST_VALUES:
            raise UserError(f"the range has {count:,} values; at most {MOST_VALUES:,} are taken")
        rounded = (float(f"{value:.12g}") for value in found)
        return [int(value) if value.is_integer() else value for value in rounded]


class SweepFile(FileModel):
    """Axes whose combinations are the points of a sweep."""

    title: str = Field(default="", description="one line for readers")
    limits: Limits = Limits()
    check_numbers_up_to_fpgas: Annotated[int, Field(ge=0)] = Field(
        default=4,
        description="on so many FPGAs at most, each plan is run with numbers and compared; 0: none is",
    )
    shard_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="processor time of a job, about; starting one takes some seconds"
    )
    axes: dict[str, Annotated[list[Value | PartitionerChoice], Field(min_length=1)] | Range] = Field(
        description="name -> values. workload, profile, fpgas and partitioner must be there; topology, link; "
        "workload.hidden_size, .steps, .batch; profile.PATH, as profile.link.latency_ns or profile.clock_mhz"
    )
    zip: list[Annotated[list[str], Field(min_length=2)]] = Field(
        default=[], description="axes that go together, the n-th value of one with the n-th of the others"
    )
    when: list[str] = Field(
        default=[], description="which combinations are points: \"partitioner != 'single' or fpgas == 1\""
    )


def load_form(path: Path) -> SweepFile:
    """Read a sweep file; UserError with all mistakes against its form."""
    return load_yaml(path, SweepFile)


def values_of(form: SweepFile, axis: str, path: Path) -> list[Value | PartitionerChoice]:
    """The values of an axis as it states them; UserError for a range that is too long, or a value twice."""
    stated = form.axes[axis]
    values: list[Value | PartitionerChoice]
    try:
        values = [*stated.values()] if isinstance(stated, Range) else [*stated]
    except UserError as error:
        raise UserError(f"{shown(path)}: axes.{axis}: {error}") from None
    seen: set[str] = set()
    for value in values:
        if repr(value) in seen:
            raise UserError(f"{shown(path)}: axes.{axis}: {value!r} is there twice; remove one")
        seen.add(repr(value))
    return values


def schema_text() -> str:
    """The JSON Schema of a sweep file, for editors; kept in docs/schemas/sweep.schema.json."""
    return json_schema(SweepFile, TITLE)


if __name__ == "__main__":
    print(schema_text(), end="")
