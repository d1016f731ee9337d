"""Finding a workload: by catalogue name, by file, or as a single layer spelled out."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path

from bench.errors import UserError, unknown_name
from bench.files import parse_yaml, read_text, shown
from bench.installed import yaml_files
from bench.variants import split_reference
from bench.workloads.build import build_workloads, single_layer
from bench.workloads.check import check_workload
from bench.workloads.model import Cell, Workload
from bench.workloads.schema import WorkloadFile
from bench.workloads.variants import vary_workload

MODELS = Path(__file__).resolve().parents[2] / "models"
"""The repository's workload files."""

GROUP = "bench.workloads"
"""Of the entry points by which packages offer workloads."""

_SINGLE = re.compile(r"(lstm|gru|rnn|gemv)-(\d{1,9})-b(\d{1,9})-t(\d{1,9})")
_ONNX = re.compile(r"(.+?\.onnx)(?::(.+))?")
_IN_FILE = re.compile(r"(.+\.ya?ml)(?::(.+))?")
_CELLS: dict[str, Cell] = {"lstm": "lstm", "gru": "gru", "rnn": "rnn_tanh", "gemv": "linear"}


def workload_names(*, models: Path = MODELS) -> list[str]:
    """All names of the catalogue, and those that installed packages offer, sorted; UserError as below."""
    return sorted(workload_places(models=models))


def workload_places(*, models: Path = MODELS) -> dict[str, str]:
    """The same names, each with where it is for messages.

    Raises UserError if a file is wrong, or two of them have a workload of the same name.
    """
    places: dict[str, str] = {}
    for path, place in _files(models):
        for name in workloads_in_file(path):
            if name in places:
                raise UserError(f"two workloads are called {name!r}: in {places[name]} and in {place}")
            places[name] = place
    return places


def load_workload(name_or_path: str, *, models: Path = MODELS) -> Workload:
    """The workload that ``name_or_path`` means.

    One of: a catalogue name (``dac20/blstm-4``); a YAML file with one workload, or
    ``file.yaml:name``; a single layer spelled out (``lstm-1024-b1-t25``, ``gru-...``,
    ``rnn-...`` with tanh: input as wide as hidden, both products counted; ``gemv-...`` is a
    square matrix times a vector each step); an ONNX file, with the sizes that it leaves open
    behind a colon (``model.onnx``, ``model.onnx:steps=25,batch=1``); any of these at other sizes,
    behind a question mark (`bench.workloads.variants`).

    Raises UserError: nothing of this name (with near names), or a wrong file.
    """
    if "?" in name_or_path:
        name, sizes = split_reference(name_or_path)
        return vary_workload(load_workload(name, models=models), name_or_path, sizes)
    model = _ONNX.fullmatch(name_or_path)
    if model:
        from bench.workloads.onnx_import.importer import load_onnx  # the onnx package is slow to import

        return load_onnx(Path(model[1]), model[2])
    in_file = _IN_FILE.fullmatch(name_or_path)
    if in_file:
        return workload_from_yaml(Path(in_file[1]), in_file[2])
    single = _SINGLE.fullmatch(name_or_path)
    if single:
        cell, hidden, batch, steps = _CELLS[single[1]], *map(int, single.groups()[1:])
        workload = single_layer(name_or_path, cell, hidden, batch=batch, steps=steps)
        check_workload(workload)
        return workload
    known: list[str] = []
    family = name_or_path.split("/", maxsplit=1)[0]
    files = _files(models)
    if any(place != shown(path) for path, place in files):
        workload_names(models=models)  # no two of a name
    for path, _ in sorted(files, key=lambda file: file[0].stem != family):
        workloads = workloads_in_file(path)
        if name_or_path in workloads:
            return workloads[name_or_path]
        known.extend(workloads)
    raise unknown_name("workload", name_or_path, known)


def workload_from_yaml(path: Path, name: str | None = None) -> Workload:
    """The workload called ``name`` (with or without its family) in a file; None: its only one.

    Raises UserError: wrong file, no such workload in it, or several and no name.
    """
    workloads = workloads_in_file(path)
    if name is None:
        if len(workloads) == 1:
            return next(iter(workloads.values()))
        listed = list(workloads)
        some = ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
        raise UserError(
            f"{shown(path)} holds {len(listed)} workloads; name one as {shown(path)}:NAME ({some})"
        )
    for full, workload in workloads.items():
        if name in (full, full.partition("/")[2]):
            return workload
    near = difflib.get_close_matches(name, workloads, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it holds {', '.join(list(workloads)[:5])}"
    raise UserError(f"{shown(path)} holds no workload {name!r}; {hint}")


def workloads_in_file(path: Path) -> dict[str, Workload]:
    """All workloads of a YAML file by full name, in the file's order; UserError if it is wrong."""
    return dict(_parse(shown(path), read_text(path)))


def _files(models: Path) -> list[tuple[Path, str]]:
    """The catalogue's files, then those of installed packages, each with where it is for messages."""
    own = sorted(path for path in models.glob("*") if path.suffix in (".yaml", ".yml"))
    return [*((path, shown(path)) for path in own), *(yaml_files(GROUP) if models == MODELS else [])]


@lru_cache(maxsize=64)
def _parse(path: str, text: str) -> dict[str, Workload]:
    """The workloads of a file; the text is part of the key, so an edited file is read anew."""
    content = parse_yaml(text, path, WorkloadFile)
    try:
        return build_workloads(content)
    except UserError as error:
        lines = str(error).splitlines()
        raise UserError("\n".join(f"{path}: {line}" for line in lines)) from None
