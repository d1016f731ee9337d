"""What a device draws, and the energy bounds of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.energy import energy_j
from bench.errors import UserError
from bench.experiments import Limits, Point
from bench.hardware.files import load_profile, profile_names
from bench.hardware.profile import BoardPower
from bench.sweeps.keys import address

WATTS = st.floats(1, 500)


def extended(folder: Path, power: object) -> str:
    """A profile that states ``power`` and is a shipped one for the rest."""
    path = folder / "mine.yaml"
    content = {"extends": "s10-mx2100", "name": "mine", "board_power": power, "summary": "x"}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def watts(value: float, kind: str = "own") -> dict[str, object]:
    """A power as a file states it."""
    return {"value": value, "unit": "W", "kind": kind, "source": "a meter"}


@given(st.lists(WATTS, min_size=3, max_size=3), st.integers(1, 8), st.integers(0, 8), st.floats(1e-6, 1.0))
def test_the_least_energy_is_not_above_the_most(
    three: list[float], used: int, unused: int, latency_s: float
) -> None:
    """Whatever is left out, and however many devices are left idle."""
    idle, active, peak = sorted(three)
    for power in (
        BoardPower(idle, active, peak),
        BoardPower(None, active, peak),
        BoardPower(idle, None, peak),
    ):
        low, high = energy_j(power, used, used + unused, latency_s)
        assert low is not None
        assert high is not None
        assert low <= high


def test_energy_by_hand() -> None:
    """Two of three devices for 2 s: idle 10 W, active 50 W, peak 70 W."""
    assert energy_j(BoardPower(10, 50, 70), 2, 3, 2.0) == (220, 300)
    assert energy_j(BoardPower(None, 50, 70), 2, 3, 2.0) == (200, 380)
    assert energy_j(BoardPower(10, None, 70), 2, 3, 2.0) == (60, 300)


def test_what_no_source_bounds_is_not_known() -> None:
    """A peak alone bounds energy from above only, an idle power from below only."""
    assert energy_j(BoardPower(peak_w=125), 1, 1, 2.0) == (None, 250)
    assert energy_j(BoardPower(idle_w=42), 1, 1, 2.0) == (84, None)


def test_only_power_measured_on_the_running_board_is_called_measured() -> None:
    """Of the shipped profiles, the two of the NX board, whose power was measured under the overlay."""
    powers = {name: load_profile(name).board_power for name in profile_names()}
    assert {name for name, power in powers.items() if power and power.measured} == {
        "s10-nx2100",
        "s10-nx2100-npusim",
    }
    assert powers["brainwave-s10"] == BoardPower(peak_w=125, covers="chip")
    assert powers["agilex7-agi027-projection"] is None


@pytest.mark.parametrize(
    ("power", "said"),
    [
        (watts(70), "write board_power: {peak:"),
        ({"idle": watts(80), "peak": watts(70)}, "idle is 80 W and peak 70 W"),
        ({"covers": "chip"}, "states none of idle, active and peak"),
        ({"peak": watts(70), "typical": watts(60)}, "board_power.typical"),
    ],
)
def test_power_that_makes_no_sense_is_refused(tmp_path: Path, power: object, said: str) -> None:
    """One number alone, one that falls, none at all, a name that is not there."""
    with pytest.raises(UserError, match=said.replace("{", r"\{")):
        load_profile(extended(tmp_path, power))


def test_power_changes_no_address_in_the_cache(tmp_path: Path) -> None:
    """A point is kept under the same key before and after a file states what its device draws."""
    keys = []
    for number, power in enumerate((None, {"peak": watts(70)})):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = extended(folder, power)
        profile = load_profile(path)
        assert (profile.board_power is None) == (power is None)
        link = profile.links[0].name
        point = Point("rnn-96-b1-t9", path, "ring", link, 1000.0, 2, "row-wise", "{}")
        keys.append(address(point, Limits(), check=False))
    assert keys[0] == keys[1]
