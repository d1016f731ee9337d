"""Profiles that extend another: what is merged, what is refused, what the shipped ones say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.commands.validate import kind_of
from bench.errors import UserError
from bench.experiments import load_config
from bench.files import Loc
from bench.hardware.describe import describe
from bench.hardware.extends import Whole, leaves, read_whole
from bench.hardware.files import HW_PROFILES, load_profile, profile_file, profile_names
from bench.hardware.schema import PROJECTION, schema_text

BASE = "s10-gx2800-fccm19"
CLOCK = "clock: {value: 300, unit: MHz, kind: own}\n"
SCHEMA = jsonschema.Draft202012Validator(json.loads(schema_text()))


def write(folder: Path, text: str, name: str = "mine") -> Path:
    """A profile that extends ``BASE`` with this text, unless it says otherwise."""
    head = "" if "extends:" in text else f"extends: {BASE}\n"
    head += "" if "\nname:" in text else f"name: {name}\n"
    path = folder / f"{name}.yaml"
    path.write_text(head + text, encoding="utf-8")
    return path


def whole(path: Path) -> Whole:
    """The file with all that it takes from its bases."""
    return read_whole(path, profile_file)


def refused(path: Path) -> str:
    """The message about a file."""
    with pytest.raises(UserError) as caught:
        load_profile(str(path))
    return str(caught.value)


def own_name(base: str) -> str:
    """A name of one's own for what extends ``base``: a projection stays one."""
    return "mine" + (PROJECTION if base.endswith(PROJECTION) else "")


# -- merging --------------------------------------------------------------------------------


@pytest.mark.parametrize("base", profile_names())
def test_stating_nothing_is_the_base(base: str, tmp_path: Path) -> None:
    """A profile that states nothing equals its base in all but the name, sources included."""
    mine = whole(write(tmp_path, f"extends: {base}\nname: {own_name(base)}\n"))
    original = whole(profile_file(base))
    kept = {"name": base, "extends": original.file.extends, "summary": original.file.summary}
    assert mine.file.model_copy(update=kept) == original.file
    loaded = mine.profile()
    assert replace(loaded, name=base, summary=original.file.summary) == original.profile()
    assert loaded.extends == (base, *original.extends)
    assert loaded.summary == f"As {base}"


UNITS = {
    "clock": ("MHz", st.floats(1, 2000)),
    "overlay.tiles": ("count", st.integers(1, 64)),
    "overlay.engines": ("count", st.integers(1, 512)),
    "overlay.input_load": ("cycles", st.integers(0, 5000)),
    "overlay.step_interval": ("cycles", st.integers(0, 5000)),
    "overlay.vector_cycles": ("cycles", st.integers(1, 64)),
    "memory.weight_capacity": ("KiB", st.integers(1, 10**6)),
    "memory.usable_fraction": ("%", st.integers(1, 100)),
    "elements.partial_sum": ("bit", st.integers(1, 64)),
    "arithmetic.accumulator": ("bit", st.integers(16, 62)),
    "network_ports": ("count", st.integers(1, 16)),
}


@st.composite
def stated(draw: st.DrawFn) -> dict[Loc, Any]:
    """Numbers, links and flags that a file may state, by their keys."""
    found: dict[Loc, Any] = {}
    for key in draw(st.lists(st.sampled_from(sorted(UNITS)), unique=True)):
        unit, values = UNITS[key]
        number = {
            "value": draw(values),
            "unit": unit,
            "kind": "assumed",
            "source": draw(st.text("abc", min_size=1)),
        }
        found[tuple(key.split("."))] = number
    if draw(st.booleans()):
        found["overlay", "steps_overlap"] = draw(st.booleans())
    if draw(st.booleans()):
        ns = {"value": draw(st.integers(0, 10**6)), "unit": "ns", "kind": "own", "source": "own"}
        beat = {"value": 8, "unit": "byte", "kind": "own"}
        speed = {"value": 10, "unit": "Gbit/s", "kind": "own", "source": "cable"}
        found["links",] = [{"name": "cable", "latency": ns, "bandwidth": speed, "beat": beat}]
    return found


def put(data: dict[str, Any], values: Mapping[Loc, Any]) -> dict[str, Any]:
    """``data`` with ``values`` at their keys."""
    data = deepcopy(data)
    for loc, value in values.items():
        place: Any = data
        for part in loc[:-1]:
            place = place.setdefault(part, {})
        place[loc[-1]] = value
    return data


ORIGINALS = {name: whole(profile_file(name)) for name in (BASE, "s10-nx2100", "agilex7-agi027-projection")}


@settings(max_examples=25)
@given(values=stated(), base=st.sampled_from(sorted(ORIGINALS)))
def test_stating_values_is_the_whole_with_them(values: dict[Loc, Any], base: str) -> None:
    """A file with a few values equals its base written out with them, sources included."""
    head = {"extends": base, "name": own_name(base), "summary": "mine"}
    original = ORIGINALS[base]
    written = put({**original.data, **head}, values)
    del written["extends"]
    with TemporaryDirectory() as folder:
        path = Path(folder, "mine.yaml")
        path.write_text(yaml.safe_dump(put(head, values), allow_unicode=True), encoding="utf-8")
        mine = whole(path)
        path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
        alone = whole(path)
    assert mine.file.model_copy(update={"extends": None}) == alone.file
    assert mine.profile() == alone.profile()
    assert {loc for loc, origin in mine.origins.items() if "mine.yaml" in origin} == set(values)
    assert {loc for loc, _ in leaves(original.data)} <= set(mine.origins)
    SCHEMA.validate(put(head, values))
    SCHEMA.validate(written)


def test_sources(tmp_path: Path) -> None:
    """What is taken over keeps kind and source; what is stated has its own; `own` needs none."""
    path = write(
        tmp_path, CLOCK + "overlay:\n  tiles: {value: 6, unit: count, kind: derived, source: area}\n"
    )
    file, base = whole(path).file, whole(profile_file(BASE)).file
    assert file.overlay.engines == base.overlay.engines
    assert (file.clock.kind, file.clock.source) == ("own", "own")
    assert file.overlay.tiles.source == "area"
    assert file.summary == f"As {BASE}, but for clock, overlay.tiles"


def test_lists_replace_and_null_takes_back(tmp_path: Path) -> None:
    """Links are replaced as a whole, and null removes what may be left out."""
    path = write(
        tmp_path,
        "network_ports: null\noverlay: {step_interval: null}\nlinks:\n  - name: wire\n"
        "    latency: {value: 1, unit: us, kind: own}\n"
        "    bandwidth: {value: 1, unit: GB/s, kind: own}\n    beat: {value: 1, unit: byte, kind: own}\n",
    )
    profile = load_profile(str(path))
    assert [link.name for link in profile.links] == ["wire"]
    assert (profile.network_ports, profile.overlay.step_interval_cycles) == (None, 0)
    assert load_profile(BASE).overlay.step_interval_cycles > 0


def test_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base by its path is found wherever the command runs, and the whole chain is told."""
    (tmp_path / "deep").mkdir()
    write(tmp_path, CLOCK, "far")
    path = write(tmp_path / "deep", "extends: ../far.yaml\nname: near\n")
    monkeypatch.chdir(tmp_path / "deep")
    profile = load_profile(str(path))
    assert profile.clock_mhz == 300
    assert profile.extends == ("../far.yaml", BASE)
    assert f"extends ../far.yaml, which extends {BASE}" in describe(profile)
    assert kind_of(path) == "profile"


# -- mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clock: {value: 300, unit: ns, kind: own}\n",
         ["mine.yaml: clock.unit", "'MHz'", "got 'ns', line 3", "it replaces 250 MHz of", f"{BASE}.yaml"]),
        ("clock: {value: -3, unit: MHz, kind: own}\n", ["clock.value", "got -3", "250 MHz"]),
        ("clock: {value: 300, unit: MHz, kind: measured}\n",
         ["clock.source: missing", "line 3", "whose source does not cover it", "`kind: own`"]),
        ("clock: {value: 300}\n", ["clock.unit: missing", "clock.kind: missing", "clock.source: missing"]),
        ("clock: 300\n", ["mine.yaml: clock", "mapping", "got 300"]),
        ("overlay:\n  tile: {value: 3, unit: count, kind: own}\n", ["overlay.tile", "did you mean 'tiles'"]),
        ("overlay:\n  step_intervall: null\n", ["overlay.step_intervall", "did you mean 'step_interval'"]),
        ("overlay: 3\n", ["mine.yaml: overlay", "got 3"]),
        ("clock: null\n", ["clock: missing", "null takes back 250 MHz of", f"{BASE}.yaml"]),
        ("memory: null\n", ["mine.yaml: memory: missing"]),
        ("arithmetic:\n  matrix: {value: bfp2, kind: own}\n",
         ["mine.yaml: arithmetic", "width", "accumulator (27 bit)", f"{BASE}.yaml", "null"]),
        ("memory:\n  usable_fraction: {value: 160, unit: \"%\", kind: own}\n",
         ["memory.usable_fraction", "at most 1", "77 %"]),
        ("status: projection\n", ["-projection", "'mine'"]),
        ("extends: s10-gx2800-fccm20\n", ["mine.yaml: extends", "unknown profile", f"did you mean '{BASE}'"]),
        ("extends: absent.yaml\n", ["mine.yaml: extends", "no file", "absent.yaml", "this file's folder"]),
        ("extends: [a]\n", ["mine.yaml: extends", "got ['a']"]),
        ("extends: agilex7-agi027-projection\n", ["-projection", "'mine'", "the status projection"]),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, text: str, expected: list[str]) -> None:
    """A mistake is one clear line with file, key, value, what the base has, and the fix."""
    message = refused(write(tmp_path, text))
    for part in expected:
        assert part in message
    assert message.count("mine.yaml:") == len(message.splitlines())


def test_name_is_its_own(tmp_path: Path) -> None:
    """The base's name is not taken over."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {BASE}\n{CLOCK}", encoding="utf-8")
    assert "mine.yaml: name: missing" in refused(path)
    assert "a name of its own" in refused(path)


@pytest.mark.parametrize("base", ["mine.yaml", "./other.yaml"])
def test_circle(tmp_path: Path, base: str) -> None:
    """Files that extend each other are told as the way round."""
    write(tmp_path, "extends: ./mine.yaml\nname: other\n", "other")
    message = refused(write(tmp_path, f"extends: {base}\n"))
    assert "is a circle; take `extends` out of one" in message
    assert message.count("mine.yaml ->") == 1
    assert message.count("-> ") == (1 if base == "mine.yaml" else 2)


def test_mistakes_of_the_base(tmp_path: Path) -> None:
    """A base with mistakes is named, and they are told as its own."""
    write(tmp_path, "clock: {value: 0, unit: MHz, kind: own}\n", "other")
    first, second = refused(write(tmp_path, "extends: other.yaml\n")).splitlines()
    assert "mine.yaml: extends: 'other.yaml' cannot be extended before this is right" in first
    assert "other.yaml: clock.value" in second


def test_file_beside_is_suggested(tmp_path: Path) -> None:
    """A name without its ending, which is a file beside, is told so."""
    write(tmp_path, CLOCK, "other")
    assert "is called other.yaml" in refused(write(tmp_path, "extends: other\n"))


# -- schema and shipped profiles ------------------------------------------------------------


@pytest.mark.parametrize("name", profile_names())
def test_shipped_files_agree_with_the_json_schema(name: str) -> None:
    """What the code accepts, editors accept; no shipped number is somebody's own."""
    text = (HW_PROFILES / f"{name}.yaml").read_text(encoding="utf-8")
    SCHEMA.validate(yaml.safe_load(text))
    assert "kind: own" not in text


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (f"extends: {BASE}\nname: mine\n{CLOCK}", True),
        (f"extends: {BASE}\n{CLOCK}", False),
        (f"name: mine\n{CLOCK}", False),
        (f"extends: {BASE}\nname: mine\noverlay: {{step_interval: null, tile: 3}}\n", False),
        (f"extends: {BASE}\nname: mine\nmemory: {{external: null, usable_fraction: null}}\n", True),
        (f"extends: {BASE}\nname: mine\nclock: {{value: 300, unit: MHz, kind: measured}}\n", False),
        (f"extends: {BASE}\nname: mine\nlinks: [{{name: wire}}]\n", False),
    ],
)
def test_json_schema(text: str, accepted: bool) -> None:
    """With a base only the name is required; numbers and links stay whole."""
    assert SCHEMA.is_valid(yaml.safe_load(text)) == accepted


PROJECTIONS = [name for name in profile_names() if name.endswith(PROJECTION)]


def test_projections_are_apart(root: Path) -> None:
    """Both are marked by name and status, and only the experiment that says so has them."""
    assert PROJECTIONS == ["agilex7-agi027-projection", "versal-vc1902-projection"]
    assert [name for name in profile_names() if load_profile(name).status] == PROJECTIONS
    for name in PROJECTIONS:
        assert "projection: nobody has built or measured it" in describe(load_profile(name))
    for experiment in load_config(root / "config" / "default.yaml").experiments:
        assert (experiment.name == "projections") == bool({*experiment.profiles} & {*PROJECTIONS})
        assert (experiment.name == "projections") == experiment.title.startswith("Projections:")


def test_numbers_of_the_projections() -> None:
    """Sizes follow from what the sources state: blocks of four tiles in proportion, loads of an engine."""
    base, agilex, versal = (load_profile(name) for name in (BASE, *PROJECTIONS))
    m20k, dsp, alm = 9018 / 4, 4880 / 4, 567_982 / 4
    fits = [n for n in range(1, 20) if n * m20k <= 13_272 and n * dsp <= 8_528 and n * alm <= 912_800]
    assert agilex.overlay == replace(base.overlay, tiles=max(fits))
    assert agilex.weight_memory_bytes == pytest.approx(13_272 * 20 * 1024 / 8 * 0.85, abs=1)
    assert versal.overlay.macs_per_cycle == 400 * 2 * 256 // 8
    assert versal.overlay.engines * versal.overlay.tiles == 400 * 8
