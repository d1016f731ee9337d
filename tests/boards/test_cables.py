"""A user's file of cables: what it says, what is refused, and the channels between two devices."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.boards.cables import Board, Cables, Port, cabled_channels, find_links, load_cables, schema_text
from bench.boards.platforms import Device, read_devices
from bench.errors import UserError
from tests.boards.test_platforms import D5005, SDK, a_device, a_platform
from tests.docs.markdown import ROOT, run

TWO = "boards:\n  left: {platform: 0, device: 0}\n  right: {platform: 0, device: 1}\n"


def loaded(folder: Path, text: str) -> Cables:
    """The cables of a file that says ``text``."""
    path = folder / "boards.yaml"
    path.write_text(text, encoding="utf-8")
    return load_cables(path)


def cards(*names: str) -> tuple[Device, ...]:
    """Boards of one platform with these names."""
    return read_devices([a_platform(SDK, *(a_device(name) for name in names))]).devices


def bittware(count: int) -> tuple[Device, ...]:
    """520N boards, told apart by their slots."""
    return cards(*(f"p520_max_sg280l : BittWare OpenCL platform (aclbitt_s10_pcie{n})" for n in range(count)))


def test_channels_between_devices(tmp_path: Path) -> None:
    """A cable carries traffic both ways; the source's output channel comes first."""
    a, b, c = bittware(3)
    text = (
        "boards:\n  left: {board: aclbitt_s10_pcie1}\n  right: {platform: 0, device: 0}\n"
        "cables:\n  - [left:ch0, right:ch3]\n"
    )
    links = find_links(loaded(tmp_path, text), (a, b, c))
    assert links.channels(b, a) == (0, 3)
    assert links.channels(a, b) == (3, 0)
    assert links.channels(a, c) is None
    assert links.channels(a, a) is None


def test_channels_of_a_program(tmp_path: Path) -> None:
    """Each device's channels by peer, wherever the program is put; none if a hop has no cable."""
    boards = "".join(f"  b{n}: {{platform: 0, device: {n}}}\n" for n in range(3))
    cables = loaded(tmp_path, f"boards:\n{boards}cables: [[b0:ch2, b1:ch1], [b1:ch3, b2:ch0]]\n")
    a, b, c = bittware(3)
    links = find_links(cables, (a, b, c))
    assert cabled_channels(links, (a, b, c), {0: {1}, 1: {0, 2}, 2: {1}}) == {
        0: {1: 2},
        1: {0: 1, 2: 3},
        2: {1: 0},
    }
    assert cabled_channels(links, (c, b), {0: {1}, 1: {0}}) == {0: {1: 0}, 1: {0: 3}}
    assert cabled_channels(links, (a, c), {0: {1}, 1: {0}}) is None
    assert cabled_channels(links, (a,), {0: ()}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{TWO}cables: [[left:ch0, middle:ch0]]\n",
            "cables[0]: middle:ch0: no board of that name; there are left, right",
        ),
        (
            f"{TWO}cables: [[left:ch4, right:ch0]]\n",
            "cables[0]: left:ch4: expected a channel from ch0 to ch3",
        ),
        (
            f"{TWO}cables: [[left:ch0, right:ch0], [right:ch1, left:ch0]]\n",
            "cables[1]: left:ch0: is cabled already in cables[0]; a channel takes one cable",
        ),
        (
            f"{TWO}cables: [[left:ch0, left:ch1]]\n",
            "cables[0]: both ends are at left; a cable joins two boards",
        ),
        (f"{TWO}cables: [[left:0, right:ch1]]\n", "cables[0][0]: String should match pattern"),
        (f"{TWO}cables: [[left:ch0]]\n", "cables[0]: List should have at least 2 items"),
        (f"{TWO}cable: []\n", "cable: unknown key; did you mean 'cables'?"),
        ("boards:\n  a: {platform: 0}\ncables: []\n", "boards.a: give platform and device, or board"),
        (
            "boards:\n  a: {platform: 0, device: 1, board: x}\ncables: []\n",
            "give platform and device, or board",
        ),
        ("boards: {}\ncables: []\n", "boards: Dictionary should have at least 1 item"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake is refused with file, place and what is expected."""
    with pytest.raises(UserError) as refusal:
        loaded(tmp_path, text)
    assert message in str(refusal.value)
    assert "boards.yaml: " in str(refusal.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A line each, so that one reading is enough."""
    with pytest.raises(UserError) as refusal:
        loaded(tmp_path, f"{TWO}cables: [[left:ch9, up:ch0], [right:ch0, right:ch1]]\n")
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("boards", "devices", "message"),
    [
        (
            "{board: aclbitt_s10_pcie7}",
            bittware(2),
            "there is no device 'aclbitt_s10_pcie7'; `bench boards` lists 0:0",
        ),
        ("{platform: 1, device: 0}", bittware(1), "there is no device 1:0"),
        ("{platform: 0, device: 0}", (), "`bench boards` lists none"),
        ("{board: p520_max_sg280l}", bittware(2), "name one of aclbitt_s10_pcie0, aclbitt_s10_pcie1"),
        ("{board: pac_s10}", cards(D5005), "left:ch2: a pac_s10 has no channels to other boards"),
    ],
)
def test_boards_that_are_not_as_the_file_says(
    tmp_path: Path, boards: str, devices: tuple[Device, ...], message: str
) -> None:
    """A board that is missing, ambiguous or without channels is refused before anything runs."""
    text = (
        f"boards:\n  left: {boards}\n  right: {{platform: 0, device: 5}}\ncables: [[left:ch2, right:ch0]]\n"
    )
    with pytest.raises(UserError) as refusal:
        find_links(loaded(tmp_path, text), devices)
    assert message in str(refusal.value)
    assert "boards.right: there is no device 0:5" in str(refusal.value)


def test_two_boards_may_not_be_one_device(tmp_path: Path) -> None:
    """Two names for one card would cable it to itself."""
    text = (
        "boards:\n  a: {platform: 0, device: 0}\n  b: {board: aclbitt_s10_pcie0}\ncables: [[a:ch0, b:ch1]]\n"
    )
    with pytest.raises(UserError, match=r"boards\.b: is device 0:0, and so is boards\.a"):
        find_links(loaded(tmp_path, text), bittware(1))


@given(st.permutations([Port(f"b{board}", channel) for board in range(4) for channel in range(4)]))
def test_a_message_arrives_where_its_cable_ends(ports: list[Port]) -> None:
    """Whatever the cabling: the channels there are those back, reversed, and belong to one cable."""
    pairs = [(a, b) for a, b in zip(ports[::2], ports[1::2], strict=True) if a.board != b.board]
    boards = tuple(Board(f"b{number}", (0, number), None) for number in range(4))
    devices = bittware(4)
    links = find_links(Cables("boards.yaml", boards, tuple(pairs)), devices)
    for a, b in itertools.permutations(range(4), 2):
        there, back = links.channels(devices[a], devices[b]), links.channels(devices[b], devices[a])
        joined = [pair for pair in pairs if {end.board for end in pair} == {f"b{a}", f"b{b}"}]
        assert (there is None) == (not joined)
        if there is not None:
            assert {Port(f"b{a}", there[0]), Port(f"b{b}", there[1])} in [set(pair) for pair in joined]
            assert back == there[::-1]


def test_validate_knows_the_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench validate` checks a file of cables, without boards."""
    monkeypatch.chdir(tmp_path)
    loaded(tmp_path, f"{TWO}cables: [[left:ch0, right:ch0]]\n")
    assert run("bench validate boards.yaml") == (0, "boards.yaml: valid file of cables")


def test_schema_is_current() -> None:
    """docs/schemas/cables.schema.json is what the code generates."""
    path = ROOT / "docs/schemas/cables.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m bench.boards.cables > docs/schemas/cables.schema.json"
    )
