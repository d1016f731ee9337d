"""Files that people write: what is accepted, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from bench.errors import UserError
from bench.files import FileModel, json_schema, load_yaml, parse_yaml


class Link(FileModel):
    """A nested model."""

    name: str
    latency_ns: Annotated[float, Field(gt=0)]


class Round(FileModel):
    """One member of a union."""

    kind: Literal["round"]
    radius: float


class Square(FileModel):
    """The other member."""

    kind: Literal["square"]
    side: float


class Device(FileModel):
    """What the files of these tests hold."""

    name: str
    tiles: Annotated[int, Field(gt=0)]
    ecc: bool = False
    links: list[Link] = Field(default=[])
    numbers: dict[str, Link] = Field(default={})
    shape: Annotated[Round | Square, Field(discriminator="kind")] | None = None


def message(text: str) -> str:
    """The text of the UserError that ``text`` raises."""
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "d.yaml", Device)
    return str(caught.value)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """A file becomes its model."""
    path = tmp_path / "d.yaml"
    path.write_text("name: a\ntiles: 4\nlinks:\n- {name: ring, latency_ns: 1e3}\n")
    device = load_yaml(path, Device)
    assert device == Device(name="a", tiles=4, links=[Link(name="ring", latency_ns=1000.0)])


def test_scalars_are_those_of_yaml_1_2() -> None:
    """Words, times and leading zeros stay text instead of turning into other values."""
    for text in ("no", "on", "1:30", "010", "2020-06-01"):
        assert parse_yaml(f"name: {text}\ntiles: 1\n", "d.yaml", Device).name == text


def test_anchors_and_merges_work() -> None:
    """A merge key fills in defaults, and a key beside it wins."""
    text = "name: a\ntiles: 1\nlinks:\n- &l {name: x, latency_ns: 1.0}\n- {<<: *l, name: y}\n"
    assert [link.name for link in parse_yaml(text, "d.yaml", Device).links] == ["x", "y"]


def test_all_errors_come_at_once_with_path_line_and_value() -> None:
    """One run shows every mistake of a file."""
    text = "name: a\ntiles: -4\nlinks:\n- name: ring\n  latency_n: 5\n- name: 3\n  latency_ns: 1\n"
    assert message(text).splitlines() == [
        "d.yaml: tiles: should be greater than 0 (got -4, line 2)",
        "d.yaml: links[0].latency_ns: missing; add it (to what starts in line 4)",
        "d.yaml: links[0].latency_n: unknown key; did you mean 'latency_ns'? (line 5)",
        "d.yaml: links[1].name: should be a valid string (got 3, line 6)",
    ]


def test_unknown_keys_without_a_near_name_list_the_known_ones() -> None:
    """A key that resembles nothing is answered with what there is."""
    assert "qqq: unknown key; known keys: ecc, links, name" in message("name: a\ntiles: 1\nqqq: 1\n")


def test_keys_inside_mappings_and_unions_are_found() -> None:
    """The path and the hint see through dicts and tagged unions."""
    text = "name: a\ntiles: 1\nnumbers: {p: {nam: x, latency_ns: 1}}\nshape: {kind: round, radus: 1}\n"
    assert "numbers.p.nam: unknown key; did you mean 'name'?" in message(text)
    assert "d.yaml: shape.radus: unknown key; did you mean 'radius'" in message(text)
    assert "d.yaml: shape.radius: missing" in message(text)


@pytest.mark.parametrize("value", ["'4'", "4.0", "true", "four", "null"])
def test_a_wrong_type_is_not_converted(value: str) -> None:
    """A number field takes a number and nothing that resembles one."""
    assert "d.yaml: tiles: should be a valid integer" in message(f"name: a\ntiles: {value}\n")


def test_a_repeated_key_is_refused() -> None:
    """Both lines of a repeated key are named."""
    assert message("name: a\ntiles: 1\nname: b\n") == (
        "d.yaml: line 3: key 'name' is given twice (first in line 1); remove one (at 'name: b')"
    )


@pytest.mark.parametrize("text", ["", "  \n", "# nothing\n", "---\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    """Nothing, blanks and comments are no file."""
    assert "empty" in message(text) or "nothing but comments" in message(text)


def test_every_truncation_of_a_file_is_refused() -> None:
    """Wherever a file is cut inside a line, or before a required key, it is refused."""
    whole = "name: abc\nlinks:\n- {name: ring, latency_ns: 15}\ntiles: 400\n"
    for stop in range(len(whole)):
        assert "d.yaml" in message(whole[:stop])


def test_a_missing_line_end_says_how_to_fix_it() -> None:
    """A whole file without its last newline is told what to do."""
    assert "line 2: the last line has no line end" in message("name: a\ntiles: 15")


def test_two_documents_and_bad_yaml_are_refused() -> None:
    """What is no single YAML document is named with its line."""
    assert "line 3" in message("name: a\ntiles: 1\n---\nname: b\n")
    assert "line 2" in message("name: [a\ntiles: 1\n")
    assert "d.yaml: line 1" in message("name: !!python/object:os.system {}\n")


def test_a_list_at_the_top_is_refused() -> None:
    """The whole file may be of the wrong kind."""
    assert "d.yaml: the whole file: should be a valid dictionary" in message("- a\n")


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    """A mistyped path gets the file beside it as a hint."""
    (tmp_path / "ring.yaml").write_text("name: a\n")
    with pytest.raises(UserError, match=r"no such file; did you mean 'ring.yaml'"):
        load_yaml(tmp_path / "rings.yaml", Device)
    with pytest.raises(UserError, match="is a folder"):
        load_yaml(tmp_path, Device)
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(UserError, match="not UTF-8"):
        load_yaml(tmp_path / "bad.yaml", Device)


def test_the_json_schema_is_the_same_each_time() -> None:
    """The schema's text is deterministic and refuses unknown keys."""
    assert json_schema(Device, "Device") == json_schema(Device, "Device")
    assert '"additionalProperties": false' in json_schema(Device, "Device")
