"""Numbers of a profile file: each a mapping of value, unit, kind and source.

One class per dimension; `Number.base` is the value in the unit that the emulator's
dataclasses use. Wrong units, negative numbers and missing sources are refused by the
schema, so the messages name file, key, what was found and what is expected.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from bench.files import FileModel

Kind = Literal["published", "measured", "derived", "fitted", "assumed", "own"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _sourced(data: dict[Any, Any]) -> dict[Any, Any]:
    """With a source, where the kind says all there is to say."""
    return {"source": "own", **data} if data.get("kind") == "own" else data


class Number(FileModel):
    """A number with its unit, where it comes from, and how (``kind``).

    ``published``: printed in ``source``. ``measured``: somebody measured it on hardware.
    ``derived``: computed from such numbers, as ``source`` says. ``fitted``: chosen so that
    the emulator meets the rows in ``fitted_on``. ``assumed``: nobody published it. ``own``: of
    whoever wrote the file, who may leave the source out.
    """

    value: NotNegative
    unit: str
    kind: Kind
    source: Text = Field(description="where the number comes from, and the arithmetic if derived")
    fitted_on: list[Text] = Field(default=[], description="published rows that a fitted number was chosen by")

    factors: ClassVar[dict[str, float]] = {}
    """Unit -> its size in the base unit."""

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            unit = next(iter(cls.factors), "...")
            raise ValueError(
                f"should be a mapping with value, unit, kind and source, "
                f"for example {{value: 1, unit: {unit}, kind: published, source: ...}}"
            )
        return _sourced(data)

    @model_validator(mode="after")
    def _fit_names_rows(self) -> Number:
        if (self.kind == "fitted") != bool(self.fitted_on):
            raise ValueError("fitted_on lists the rows of a number of kind 'fitted', and of no other kind")
        return self

    @property
    def base(self) -> float:
        """The value in the dimension's base unit."""
        return self.value * self.factors[self.unit]


class WholeNumber(Number):
    """A number without a fraction."""

    @model_validator(mode="after")
    def _is_whole(self) -> WholeNumber:
        if not self.value.is_integer():
            raise ValueError(f"should be a whole number of {self.unit}, not {self.value}")
        return self


class Statement(FileModel):
    """A name with where it comes from, and how (``kind``, as of a `Number`)."""

    value: str
    kind: Literal["published", "derived", "assumed", "own"]
    source: Text = Field(description="where it is stated, or why this is assumed")

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(
                "should be a mapping with value, kind and source, "
                "for example {value: int8, kind: published, source: ...}"
            )
        return _sourced(data)


class MatrixFormat(Statement):
    """A number format of matrix products."""

    value: Literal["float32", "float16", "bfloat16", "int8", "int8-tensor", "bfp2", "bfp3", "bfp4", "bfp5"]


class VectorFormat(Statement):
    """A number format of elementwise operations."""

    value: Literal["float32", "float16", "bfloat16", "fixed27", "fixed32"]


class Width(WholeNumber):
    """Bits of an integer, sign included."""

    value: Annotated[float, Field(ge=16, le=62)]
    unit: Literal["bit"]
    factors: ClassVar[dict[str, float]] = {"bit": 1.0}


class Count(WholeNumber):
    """How many of something, at least one."""

    value: Positive
    unit: Literal["count"]
    factors: ClassVar[dict[str, float]] = {"count": 1.0}


class Cycles(WholeNumber):
    """Clock cycles of the overlay."""

    unit: Literal["cycles"]
    factors: ClassVar[dict[str, float]] = {"cycles": 1.0}


class Frequency(Number):
    """Base unit MHz."""

    value: Positive
    unit: Literal["MHz", "GHz"]
    factors: ClassVar[dict[str, float]] = {"MHz": 1.0, "GHz": 1e3}


class Duration(Number):
    """Base unit ns."""

    unit: Literal["ns", "us", "ms"]
    factors: ClassVar[dict[str, float]] = {"ns": 1.0, "us": 1e3, "ms": 1e6}


class InverseBandwidth(Number):
    """Base unit ns/byte."""

    value: Positive
    unit: Literal["ns/byte"]
    factors: ClassVar[dict[str, float]] = {"ns/byte": 1.0}


class Bandwidth(Number):
    """Base unit GB/s, which is bytes per ns."""

    value: Positive
    unit: Literal["GB/s", "MB/s", "Gbit/s"]
    factors: ClassVar[dict[str, float]] = {"GB/s": 1.0, "MB/s": 1e-3, "Gbit/s": 0.125}


class Size(Number):
    """Base unit byte."""

    value: Positive
    unit: Literal["byte", "KiB", "MiB", "GiB", "MB", "GB"]
    factors: ClassVar[dict[str, float]] = {
        "byte": 1.0,
        "KiB": 2.0**10,
        "MiB": 2.0**20,
        "GiB": 2.0**30,
        "MB": 1e6,
        "GB": 1e9,
    }


class ElementSize(Number):
    """What one element takes; base unit byte."""

    value: Positive
    unit: Literal["byte", "bit"]
    factors: ClassVar[dict[str, float]] = {"byte": 1.0, "bit": 0.125}


class Fraction(Number):
    """A share between 0 and 1."""

    value: Positive
    unit: Literal["fraction", "%"]
    factors: ClassVar[dict[str, float]] = {"fraction": 1.0, "%": 0.01}

    @model_validator(mode="after")
    def _is_share(self) -> Fraction:
        if self.base > 1:
            raise ValueError(f"should be a share of at most 1 (100 %), not {self.value} {self.unit}")
        return self


class Power(Number):
    """Base unit W."""

    value: Positive
    unit: Literal["W"]
    factors: ClassVar[dict[str, float]] = {"W": 1.0}
