"""Walks through a model until all sizes are known: given, or asked for in one line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.errors import UserError
from bench.workloads.onnx_import.recurrent import Recurrent, Size
from bench.workloads.onnx_import.walk import Settings, Walk

_ROUNDS = 8
_TRIED = 6


def settled(first: Walk, steps: int | None, batch: int | None) -> Walk:
    """The walk that knows all sizes: each round puts in what the one before found to be open."""
    sizes, branches = dict(first.settings.sizes), first.settings.branches
    forced: dict[str, int | None] = {"steps": None, "batch": None}
    given = {"steps": steps, "batch": batch}
    used: set[str] = set()
    for _ in range(_ROUNDS):
        walk = Walk(first.model, first.file, Settings(sizes, forced["steps"], forced["batch"], branches))
        walk.run()
        _check_names(walk, sizes, branches)
        asked = {key: _open(walk, key) for key in given}
        if not any(asked.values()):
            _check_used(walk, given, used)
            return walk
        missing = [key for key in given if asked[key] and given[key] is None]
        missing += [key for key in given if len(_named(asked[key])) > 1 and key not in missing]
        if missing:
            raise _question(walk, missing, asked)
        for key, number in given.items():
            if asked[key] and number is not None:
                used.add(key)
                named = _named(asked[key]) or _behind(walk, key, number, sizes)
                sizes |= dict.fromkeys(named, number)
                forced[key] = forced[key] if named else number
    raise UserError(f"{first.file}: its sizes cannot be found; simplify the model first (constant shapes)")


def _behind(walk: Walk, key: str, number: int, sizes: Mapping[str, int]) -> list[str]:
    """The dimension of an input that gives all nodes their size, although shape inference lost its name.

    It must give them another size too: a batch of 1 goes with any length.
    """
    for name in [name for name in walk.symbols if name not in sizes][:_TRIED]:
        if all(_gives(walk, key, size, {**sizes, name: size}) for size in (number, number + 1)):
            return [name]
    return []


def _gives(walk: Walk, key: str, number: int, sizes: Mapping[str, int]) -> bool:
    """Whether all nodes have ``number`` steps, or batch items, with these sizes."""
    trial = Walk(walk.model, walk.file, replace(walk.settings, sizes=sizes))
    try:
        trial.run()
    except UserError:
        return False
    own = {step_count(node) if key == "steps" else node.batch for node in trial.found}
    return not _open(trial, key) and own == {number}


def _open(walk: Walk, key: str) -> list[tuple[Recurrent, Size]]:
    """Nodes whose steps or batch are open, with the dimension's name if it has one."""
    found: list[tuple[Recurrent, Size]] = []
    for node in walk.found:
        sizes = [node.steps, *(loop.trips for loop in node.loops)] if key == "steps" else [node.batch]
        for size in sizes:
            if not isinstance(size, int):
                found.append((node, size if size in walk.symbols else None))
    return found


def _named(asked: Sequence[tuple[Recurrent, Size]]) -> list[str]:
    return list(dict.fromkeys(size for _, size in asked if isinstance(size, str)))


def _question(
    walk: Walk, missing: Sequence[str], asked: Mapping[str, Sequence[tuple[Recurrent, Size]]]
) -> UserError:
    """What to give, in the words of the command line and of a configuration."""
    words = {"steps": "the sequence length", "batch": "the batch size"}
    lacks, flags, options = [], [], []
    for key in missing:
        names = _named(asked[key])
        shown_names = f" (dimension {', '.join(repr(name) for name in names)})" if names else ""
        lacks.append(f"{words[key]}{shown_names}")
        keys = names if len(names) > 1 else [key]
        flags += [f"--dim {name}=N" if len(names) > 1 else f"--{key} N" for name in keys]
        options += [f"{name}=N" for name in keys]
    node = asked[missing[0]][0][0]
    inputs = [name for name in walk.symbols if name not in walk.settings.sizes]
    if inputs and not any(_named(asked[key]) for key in missing):
        flags.append(f"(or the sizes of its inputs: {' '.join(f'--dim {name}=N' for name in inputs)})")
    return UserError(
        f"{walk.file}: {node.node.op_type} node {node.label!r}: the file leaves open "
        f"{' and '.join(lacks)}; give {' '.join(flags)}, or name the workload {walk.file}:{','.join(options)}"
    )


def _check_names(walk: Walk, sizes: Mapping[str, int], branches: Mapping[str, str]) -> None:
    """Raise UserError for a dimension or an If node that the file has not."""
    for kind, names, known in (
        ("symbolic dimension", sizes, list(walk.symbols)),
        ("If node", branches, walk.choices),
    ):
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
                hint = (
                    f"did you mean {' or '.join(near)}?"
                    if near
                    else f"it has {', '.join(known[:8]) or 'none'}"
                )
                raise UserError(f"{walk.file}: has no {kind} {name!r}; {hint}")


def _check_used(walk: Walk, given: Mapping[str, int | None], used: set[str]) -> None:
    """Raise UserError for steps or a batch size that differ from those in the file."""
    for key, number in given.items():
        own = sorted({step_count(node) if key == "steps" else int(str(node.batch)) for node in walk.found})
        if number is not None and key not in used and number not in own:
            raise UserError(
                f"{walk.file}: --{key} {number}: the file itself says {', '.join(map(str, own))}; leave out "
                f"--{key}, or export the model with that dimension left open"
            )


def step_count(node: Recurrent) -> int:
    """Time steps of a node: those of its sequence, times the iterations of the loops around it."""
    length = node.used if node.used is not None else node.steps
    return math.prod(size for size in (length, *(loop.trips for loop in node.loops)) if isinstance(size, int))
