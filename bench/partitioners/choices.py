"""From what a configuration asks of a partitioner to the arguments of each of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from bench.errors import UserError
from bench.partitioners.parameters import Interface, Scalar
from bench.partitioners.plan_folders import check_folder
from bench.partitioners.sources import find_source

SEED = "seed"
"""The parameter that a randomised partitioner has; repeated runs differ in it alone."""


def check_parameters(reference: str, parameters: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """One run's parameters as the partitioner gets them.

    Raises UserError unless the partitioner exists and takes these parameters with these values.
    """
    (only,) = variants(reference, parameters, sweep=False)
    return only


def variants(
    reference: str,
    wanted: Mapping[str, Scalar | list[Scalar]],
    repeats: int | None = None,
    *,
    sweep: bool = True,
) -> Iterator[dict[str, Scalar]]:
    """The parameters of each run that ``wanted`` stands for.

    With ``sweep`` a list stands for each of its values, and "*" for all values of a bool or of an int
    with a range. ``repeats`` gives seeds 0, 1, ... Raises UserError as `check_parameters` does.
    """
    source = find_source(reference)
    if source.kind == "plans":
        check_folder(source.files)
    interface = source.interface
    try:
        values = {name: _values(interface, name, value, sweep=sweep) for name, value in wanted.items()}
        if repeats is not None:
            if SEED in wanted:
                raise UserError("repeats: gives the seeds itself; leave the parameter seed out")
            values[SEED] = _values(interface, SEED, list(range(repeats)), sweep=True)
    except UserError as error:
        word = "" if str(error).startswith("has no") else ":"
        raise UserError(f"partitioner {source.name!r}{word} {error}") from None
    return (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def _values(interface: Interface, name: str, wanted: object, *, sweep: bool) -> list[Scalar]:
    parameter = interface.parameter(name)
    if sweep and isinstance(wanted, list):
        if not wanted:
            raise UserError(f"{name}: is an empty list; give a value, or leave it out")
        return [parameter.checked(value) for value in wanted]
    if sweep and wanted == "*" and parameter.type is not str:
        return parameter.values()
    return [parameter.checked(wanted)]
