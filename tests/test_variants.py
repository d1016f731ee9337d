"""Workloads and profiles with some numbers replaced, by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.hardware.files import load_profile
from bench.variants import join_reference, split_reference
from bench.workloads.catalogue import load_workload

PROFILE = "s10-gx2800-dac20"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}(\.[a-z_]{1,8})?", fullmatch=True),
        st.one_of(st.integers(0, 10**6), st.booleans(), st.floats(0.001, 10**6)),
        min_size=1,
        max_size=4,
    )
)
def test_references_can_be_read_again(changes: dict[str, object]) -> None:
    """What was joined is split again, whatever the order of the keys, to the same numbers."""
    reference = join_reference("board", changes)
    assert join_reference("board", dict(reversed(changes.items()))) == reference
    name, texts = split_reference(reference)
    assert name == "board"
    assert texts.keys() == changes.keys()
    for key, value in changes.items():
        assert float({"true": 1, "false": 0}.get(texts[key], texts[key])) == value


def test_a_profile_has_the_numbers_of_its_name() -> None:
    """The named numbers are replaced, all others are the profile's."""
    plain = load_profile(PROFILE)
    name = f"{PROFILE}?clock_mhz=300&overlay.tiles=8&link.bandwidth_gbps=16&links.host-pcie.latency_ns=0"
    varied = load_profile(name)
    assert (varied.name, varied.clock_mhz, varied.overlay.tiles) == (name, 300.0, 8)
    assert varied.links[0].ns_per_byte == 0.5
    assert varied.link("host-pcie").latency_ns == 0
    restored = replace(
        varied,
        name=plain.name,
        clock_mhz=plain.clock_mhz,
        overlay=replace(varied.overlay, tiles=plain.overlay.tiles),
        links=plain.links,
    )
    assert restored == plain


@pytest.mark.parametrize(
    "name", ["dac20/encoder-8", "dac20/decoder-8", "dac20/blstm-pyramid-4", "large/elmo-bilm"]
)
def test_a_workload_at_its_own_sizes_is_the_same(name: str) -> None:
    """At half its width a network has a quarter of its weights; at its own width and time nothing changes."""
    plain = load_workload(name)
    size = plain.layers[0].hidden_size
    same = load_workload(f"{name}?hidden_size={size}&steps={plain.steps}")
    assert same.layers == plain.layers
    half = load_workload(f"{name}?hidden_size={size // 2}&batch=3")
    assert half.weights * 4 == plain.weights
    assert half.batch == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{PROFILE}?clock=1", "clock: there is no 'clock'"),
        (f"{PROFILE}?overlay.tile=1", "did you mean 'tiles'"),
        (f"{PROFILE}?overlay.tiles=2.5", "got 2.5, expected a whole number"),
        (f"{PROFILE}?overlay.tiles=0", "expected a number greater than 0"),
        (f"{PROFILE}?clock_mhz=fast", "got 'fast', expected a number"),
        (f"{PROFILE}?links.none.latency_ns=1", "the profile's links are"),
        (f"{PROFILE}?device=1", "is no number"),
        (f"{PROFILE}?clock_mhz.x=1", "has no parts"),
        (f"{PROFILE}?clock_mhz", "expected NAME?KEY=VALUE"),
        (f"{PROFILE}?clock_mhz=1&clock_mhz=2", "each key once"),
        ("none?clock_mhz=1", "unknown profile 'none'"),
    ],
)
def test_wrong_profiles_are_refused(name: str, message: str) -> None:
    """An unknown number, a wrong value or a malformed name: one message that says which."""
    with pytest.raises(UserError) as error:
        load_profile(name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dac20/gru-1024?width=2", "there is no size 'width'"),
        ("dac20/gru-1024?batch=0", "expected a whole number of 1 or more"),
        ("dac20/blstm-pyramid-4?steps=9", "choose one that keeps it whole"),
        ("dac20/gru-1023?batch=2", "unknown workload"),
    ],
)
def test_wrong_workloads_are_refused(name: str, message: str) -> None:
    """An unknown size, a wrong value, or widths and times that would not be whole."""
    with pytest.raises(UserError) as error:
        load_workload(name)
    assert message in str(error.value)
