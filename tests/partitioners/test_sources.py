"""Partitioners from outside: what names them, what their files say, and what clashes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.experiments import Experiment, Point, expand, load_config, make_shards
from bench.hardware.files import load_profile, profile_names
from bench.installed import installed
from bench.partitioners.parameters import Interface, Parameter, Range, read_interface
from bench.partitioners.sources import all_sources, expand_reference, find_source
from bench.plans.files import save_plan
from bench.rows import evaluate_point, make_plan
from bench.workloads.catalogue import load_workload

ROOT = Path(__file__).parents[2]

PLUGIN = '''"""Rows, {name}."""

from typing import Annotated

from bench.partitioners import row_wise
from bench.partitioners.parameters import Range

__version__ = "1.2"
MOST = 8


def plan(workload, cluster, *, parts: Annotated[int, Range(1, MOST)] = 4, fast=True, seed: int = 0):
    return row_wise.plan(workload, cluster)
'''

TRAP = "open('imported', 'x').close()\n"
"""What a module does that must not be imported."""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str = PLUGIN) -> str:
    """A plug-in; its path."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text.replace("{name}", path), encoding="utf-8")
    return path


def experiment(*partitioners: object, **changes: object) -> Experiment:
    """A small experiment with these partitioners."""
    values: dict[str, object] = {
        "name": "small",
        "workloads": ["lstm-32-b1-t5"],
        "profiles": ["s10-gx2800-dac20"],
        "fpgas": [2],
        "partitioners": list(partitioners),
        "baseline": "row-wise",
    }
    return Experiment.model_validate(values | changes)


def configuration(*partitioners: str) -> Path:
    """A configuration file with these partitioners."""
    value = {"experiments": [experiment(*partitioners).model_dump(exclude_defaults=True)]}
    Path("mine.yaml").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    return Path("mine.yaml")


# --- references ---------------------------------------------------------------------------


def test_a_file_is_named_by_its_path() -> None:
    """Points carry the path, tables the stem with hyphens; nothing of the file is run."""
    write("mine/by_layers.py", PLUGIN + TRAP)
    source = find_source("./mine/by_layers.py")
    assert (source.name, source.reference, source.version) == ("by-layers", "mine/by_layers.py", "1.2")
    points = list(expand(experiment("./mine/by_layers.py")))
    assert {point.partitioner for point in points} == {"row-wise", "mine/by_layers.py"}
    assert source.interface.summary == "Rows, mine/by_layers.py."
    assert not Path("imported").exists()


def test_a_glob_is_a_folder_of_files() -> None:
    """Every file but helpers, in order; a glob over names means built-in ones."""
    for name in ("b", "a", "_helper"):
        write(f"mine/{name}.py")
    assert expand_reference("mine/*.py") == ["mine/a.py", "mine/b.py"]
    assert expand_reference("*-wise")[0] == "layer-wise"
    with pytest.raises(UserError, match=r"no partitioner matches 'yours/\*.py'"):
        expand_reference("yours/*.py")


@pytest.mark.parametrize(
    ("first", "second"),
    [("a/same.py", "b/same.py"), ("row-wise", "mine/row_wise.py"), ("a/b_c.py", "a/b-c.py")],
)
def test_two_of_one_name_are_refused(first: str, second: str) -> None:
    """The message names both places."""
    for path in (first, second):
        if path.endswith(".py"):
            write(path)
    with pytest.raises(UserError, match="two partitioners are called") as error:
        load_config(configuration(first, second))
    assert second in str(error.value)
    assert ("the built-in one" if first == "row-wise" else first) in str(error.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine/none.py", "no such file"),
        ("mine/", "no such folder; expected a .py file, or a folder of plans"),
        ("rowwise", "did you mean 'row-wise'"),
        ("greedy", "for the file of that name, write 'greedy.py'"),
        ("code/", r"holds no plans \(\*.json\) but Python files; name those, as 'code/\*.py'"),
        ("a b.py", "'a b' is no name for tables"),
    ],
)
def test_bad_references(reference: str, message: str) -> None:
    """What is not there, or cannot be meant, is refused with what to write."""
    for path in ("greedy.py", "code/greedy.py", "a b.py"):
        write(path)
    with pytest.raises(UserError, match=message):
        find_source(reference)


def test_a_source_covers_what_it_imports_from_beside_it() -> None:
    """Its helpers are part of its hash, other files of the folder are not."""
    write("mine/one.py", "import _deep\n" + PLUGIN)
    write("mine/_deep.py", "from _deeper import x\n")
    write("mine/_deeper.py", "x = 1\n")
    write("mine/other.py")
    before = find_source("mine/one.py").fingerprint
    write("mine/other.py", "# an edit\n")
    assert find_source("mine/one.py").fingerprint == before
    write("mine/_deeper.py", "x = 23\n")
    assert find_source("mine/one.py").fingerprint != before


# --- what a file says ---------------------------------------------------------------------


def test_interface_is_read() -> None:
    """Types, ranges and defaults, with names of constants and without an annotation."""
    assert read_interface(Path(write("one.py"))) == Interface(
        "Rows, one.py.",
        "1.2",
        {
            "parts": Parameter("parts", int, 4, Range(1, 8)),
            "fast": Parameter("fast", bool, True),
            "seed": Parameter("seed", int, 0),
        },
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def plan(", "def plan(:", "line 12: is not Python: invalid syntax"),
        ("def plan(", "def plans(", "defines no function plan"),
        ("workload, cluster, *", "workload, *", r"takes \(workload\); expected workload and cluster"),
        ("seed: int = 0", "seed: int", "seed has no default"),
        ("seed: int = 0", "seed: list = 0", "seed: its type is none of bool, int, float, str"),
        ("seed: int = 0", "seed: int = 0.5", "seed: got 0.5, expected a whole number"),
        ("seed: int = 0", "seed: int = now()", r"the default of seed is now\(\); write a literal"),
        ("] = 4", "] = 9", "parts: got 9, expected 1 to 8"),
        ("Range(1, MOST)", "Range(9, MOST)", "the smaller one first"),
        ("Range(1, MOST)", "Range(1)", "two numbers"),
    ],
)
def test_files_that_are_no_partitioners(old: str, new: str, message: str) -> None:
    """The message names file, line and argument."""
    with pytest.raises(UserError, match=message) as error:
        load_config(configuration(write("mine/one.py", PLUGIN.replace(old, new))))
    assert "mine/one.py" in str(error.value)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"parts": 2}, ['{"parts":2}']),
        ({"parts": [2, 3]}, ['{"parts":2}', '{"parts":3}']),
        ({"fast": "*", "parts": [1]}, ['{"fast":false,"parts":1}', '{"fast":true,"parts":1}']),
        ({"parts": "*"}, [f'{{"parts":{n}}}' for n in range(1, 9)]),
    ],
)
def test_sweeps(wanted: dict[str, object], found: list[str]) -> None:
    """A list stands for its values, a star for all of them."""
    choice = {"name": write("mine/one.py"), "parameters": wanted}
    points = [p for p in expand(experiment(choice)) if p.partitioner != "row-wise"]
    assert [point.parameters for point in points] == found


def test_repeats_give_seeds() -> None:
    """A randomised partitioner runs with seeds from 0 on; others cannot be repeated."""
    path = write("mine/one.py")
    choice = {"name": path, "parameters": {"parts": 2}, "repeats": 3}
    points = [point for point in expand(experiment(choice)) if point.partitioner == path]
    assert [json.loads(point.parameters) for point in points] == [{"parts": 2, "seed": n} for n in range(3)]
    with pytest.raises(UserError, match="'single' has no parameter 'seed'"):
        list(expand(experiment({"name": "single", "repeats": 2})))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"part": 1}, "partitioner 'one' has no parameter 'part'; did you mean 'parts'"),
        ({"parts": 9}, "partitioner 'one': parts: got 9, expected 1 to 8"),
        ({"parts": True}, "parts: got True, expected a whole number"),
        ({"parts": []}, "parts: is an empty list"),
        ({"fast": 1}, "fast: got 1, expected true or false"),
        ({"seed": "*"}, r"seed: '\*' needs an int with a Range"),
        ({"parts": [1, "two"]}, "parts: got 'two', expected a whole number"),
    ],
)
def test_parameters_are_checked_before_anything_runs(parameters: dict[str, object], message: str) -> None:
    """Type and range, of each value of a sweep too."""
    with pytest.raises(UserError, match=message):
        list(expand(experiment({"name": write("mine/one.py"), "parameters": parameters})))


def test_whole_numbers_are_numbers() -> None:
    """A float parameter takes 1 as 1.0, so both are one point."""
    path = write("one.py", PLUGIN.replace("seed: int = 0", "share: float = 0.5"))
    points = list(expand(experiment({"name": path, "parameters": {"share": [1, 1.0]}})))
    assert [point.parameters for point in points if point.partitioner == path] == ['{"share":1.0}']


# --- plans in files -----------------------------------------------------------------------

POINT = Point("lstm-32-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "plans/")


def write_plan(name: str, change: Callable[[dict[str, object]], object] = lambda value: None) -> Path:
    """A plan of `row-wise` for `POINT` in a file, changed."""
    Path("plans").mkdir(exist_ok=True)
    path = Path("plans") / name
    save_plan(path, make_plan(replace(POINT, partitioner="row-wise")), POINT)
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def leave_out(*names: str) -> Callable[[dict[str, object]], object]:
    """A change that removes keys."""
    return lambda value: [value.pop(name) for name in names]


def test_a_plan_from_a_file_is_a_result() -> None:
    """A file may leave out what it is good for all of; a point without one is refused with the reason."""
    write_plan("a.json", leave_out("profile", "topology", "link", "link_latency_ns", "partitioner", "notes"))
    config = load_config(configuration("plans/"))
    (shard,) = [shard for shard in make_shards(config) if shard.name == "all--plans"]
    row = evaluate_point(shard.points[0])
    assert (row["status"], row["termination"], row["numerics"]) == ("ok", "none", "exact")
    other = Point("lstm-32-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 4, "plans/")
    row = evaluate_point(other)
    assert row["status"] == "unsupported"
    assert row["reason"] == "no file in plans is a plan for lstm-32-b1-t5 on 4 x s10-gx2800-dac20, ring"


def test_wrong_plan_files_are_rows_or_refused() -> None:
    """A file that does not say what it is for is refused at once; a plan with a hole is a row."""
    path = write_plan("a.json", lambda value: value["blocks"].pop())  # type: ignore[attr-defined]
    row = evaluate_point(POINT)
    assert row["termination"] == "invalid plan"
    assert "is owned by no device" in row["reason"]
    write_plan("a.json", leave_out("vectors"))
    assert evaluate_point(POINT)["reason"] == "vectors: field required"
    write_plan("b.json")
    assert "plans/a.json and plans/b.json are both for this point" in evaluate_point(POINT)["reason"]
    path.write_text('{"blocks": []}', encoding="utf-8")
    with pytest.raises(UserError, match=r"plans/a.json: does not say what it is a plan for"):
        load_config(configuration("plans/"))


# --- installed packages -------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that offers a partitioner, a profile and a workload, and must not be imported for it."""
    site = tmp_path / "site"
    write(str(site / "theirs" / "__init__.py"), TRAP)
    write(str(site / "theirs" / "zigzag.py"), PLUGIN.replace('__version__ = "1.2"\n', ""))
    info = site / "theirs-2.5.dist-info"
    write(str(info / "METADATA"), "Metadata-Version: 2.1\nName: theirs\nVersion: 2.5\n")
    write(
        str(info / "entry_points.txt"),
        "[bench.partitioners]\nzigzag = theirs.zigzag\n"
        "[bench.profiles]\nany = theirs.data\n[bench.workloads]\nany = theirs.nets\n",
    )
    profile = (ROOT / "hw_profiles/s10-gx2800-dac20.yaml").read_text(encoding="utf-8")
    write(
        str(site / "theirs/data/their-board.yaml"),
        profile.replace("name: s10-gx2800-dac20", "name: their-board"),
    )
    network = "family: theirs\nsource: a test\ndefaults: {steps: 4, batch: 1}\nworkloads:\n  - name: small\n"
    network += "    layers: [{name: lstm, cell: lstm, input_size: 8, hidden_size: 8}]\n"
    write(str(site / "theirs/nets/small.yaml"), network)
    monkeypatch.syspath_prepend(site)
    return site


def test_an_installed_partitioner_is_found_by_name(package: Path) -> None:
    """It is listed, checked and hashed without being imported, and has its package's version."""
    source = find_source("zigzag")
    assert (source.kind, source.version) == ("installed", "2.5")
    assert "zigzag" in [one.name for one in all_sources()]
    assert source.interface.parameters["parts"].range == Range(1, 8)
    before = source.fingerprint
    write(str(package / "theirs" / "__init__.py"), TRAP + "# an edit\n")
    assert find_source("zigzag").fingerprint != before
    assert list(expand(experiment("zigzag")))[-1].partitioner == "zigzag"
    assert not Path("imported").exists()
    assert "theirs" not in sys.modules


def test_an_installed_partitioner_runs(package: Path) -> None:
    """Its point is planned in a process that has the same packages."""
    write(str(package / "theirs" / "__init__.py"), "")
    row = evaluate_point(
        Point("lstm-32-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "zigzag")
    )
    assert (row["status"], row["termination"]) == ("ok", "none"), row["reason"]


def test_an_installed_name_cannot_hide_a_built_in_one(package: Path) -> None:
    """Whoever names it gets both places, as with two files."""
    path = package / "theirs-2.5.dist-info" / "entry_points.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("zigzag =", "row-wise ="), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"'row-wise': the built-in one and the installed package theirs 2\.5"
    ):
        find_source("row-wise")
    assert find_source("single").kind == "built-in"


def test_installed_profiles_and_workloads(package: Path) -> None:
    """They are there by name; a name that we have too is refused with both places."""
    assert "their-board" in profile_names()
    assert load_profile("their-board").clock_mhz == load_profile("s10-gx2800-dac20").clock_mhz
    assert load_workload("theirs/small").steps == 4
    board = package / "theirs/data/their-board.yaml"
    board.rename(board.with_name("s10-gx2800-dac20.yaml"))
    with pytest.raises(UserError, match=r"two profiles are called 's10-gx2800-dac20'.* theirs 2\.5"):
        profile_names()
    network = package / "theirs/nets/small.yaml"
    network.write_text(
        network.read_text(encoding="utf-8").replace("theirs", "dac20").replace("small", "lstm-2048")
    )
    with pytest.raises(UserError, match=r"two workloads are called 'dac20/lstm-2048'.* theirs 2\.5"):
        load_workload("dac20/lstm-1024")
    assert not Path("imported").exists()


def test_an_entry_point_that_names_no_folder(package: Path) -> None:
    """The message says whose it is and what is expected."""
    path = package / "theirs-2.5.dist-info" / "entry_points.txt"
    path.write_text("[bench.profiles]\nany = theirs.zigzag:DATA\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"theirs 2\.5: the entry point 'any' of bench.profiles must name a folder"
    ):
        profile_names()
    assert installed("bench.partitioners") == ()
