"""The hardware values that the emulator reads: Overlay, LinkProfile, Profile, Cluster.

`bench.hardware.files` reads them from YAML, where every number carries unit and source.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

TOPOLOGIES = (
    "ring",
    "ring-bidirectional",
    "chain",
    "torus-2d",
    "fully-connected",
    "switch",
    "host-star",
)


@dataclass(frozen=True, slots=True)
class BatchCore:
    """Rules of a core that multiplies several vectors at once (tensor blocks), where they differ.

    The vectors of a pass go one by one through the multifunction units and the loader. A
    dependence is a tag: it waits until all of an earlier result is written. Each tile has a
    vector file of its own, so a vector enters the matrix unit by one instruction a tile; inputs
    are loaded by instructions too. Every matrix is padded to whole row blocks, and to
    ``accumulators`` of them at least.
    """

    accumulators: int
    """Row blocks that share a pass over the columns; their results come one after the other."""
    output_cycles: int
    """Between two row blocks' results from the matrix unit, at least (all vectors of the pass)."""
    instruction_gap_cycles: int
    """Lost by the matrix unit at each of its instructions."""
    first_unit_cycles: int
    """From the way past the external vector file to the first multifunction unit's operand."""
    second_unit_cycles: int
    """The same, to the second multifunction unit's operand."""
    output_latency_cycles: int
    """From the loader to the output, where a run ends."""
    program_steps: int | None = None
    """Time steps that one program holds; after them it is written anew. None: all."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Structure and latencies of one NPU overlay (cycles of its own clock).

    The matrix unit is ``tiles`` x ``engines`` dot-product engines of ``lanes`` lanes on
    each of ``cores`` cores. A block of ``engines`` rows takes
    ``ceil(cols / (tiles * lanes)) + row_block_overhead_cycles`` cycles to issue.
    """

    tiles: int
    engines: int
    lanes: int
    cores: int
    vectors_per_pass: int
    """Batch items that one core multiplies with the same weights at once."""
    row_block_overhead_cycles: int
    matrix_latency_cycles: int
    """From the issue of a row block's last column to its result at the multifunction units."""
    multifunction_latency_cycles: int
    """Both multifunction units in series."""
    writeback_latency_cycles: int
    """Loader: from the multifunction units to a readable vector register (hazard tag included)."""
    instruction_issue_cycles: int
    """Least distance between two instructions of one device."""
    input_load_cycles: int
    """Once a run: loading the first input vector and starting the pipeline.

    With a ``batch_core`` the start alone: the load takes a cycle a word besides.
    """
    vector_cycles: int = 1
    """Cycles that a native vector (``engines`` elements) takes in the multifunction units."""
    step_interval_cycles: int = 0
    """Least distance between the starts of two time steps on a device (its control processor)."""
    steps_overlap: bool = False
    """A time step begins while the one before it ends, in program order: no lock-step of a group."""
    batch_core: BatchCore | None = None

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates a cycle with every lane of every vector slot busy."""
        return self.cores * self.vectors_per_pass * self.tiles * self.engines * self.lanes


@dataclass(frozen=True, slots=True)
class LinkProfile:
    """An alpha-beta link, one server per direction.

    A message of n bytes occupies the link for ``ceil(n / beat_bytes) * beat_bytes *
    ns_per_byte`` and arrives ``latency_ns`` after that.
    """

    name: str
    latency_ns: float
    ns_per_byte: float
    beat_bytes: int = 1

    @property
    def bandwidth_gbps(self) -> float:
        """Gigabits a second."""
        return 8.0 / self.ns_per_byte


@dataclass(frozen=True, slots=True)
class ExternalMemory:
    """Memory that weights may spill to: capacity and the rate at which they stream in."""

    capacity_bytes: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class BoardPower:
    """What a device draws, in W; None: no source says. At least one is known, and they do not fall."""

    idle_w: float | None = None
    """Configured, with nothing to do."""
    active_w: float | None = None
    """The least while the overlay runs."""
    peak_w: float | None = None
    """The most; no run takes more."""
    covers: str = "board"
    """``chip``: memory, links and converters of the board are not in it."""
    measured: bool = False
    """Whether active and peak were measured on this board while it ran the overlay."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Names of the number formats that an overlay computes in; `bench.numerics.formats` defines them."""

    matrix: str = "float32"
    """Of the operands of matrix products."""
    vector: str = "float32"
    """Of elementwise operations."""
    accumulator_bits: int | None = None
    """Width of integer sums; None where the matrix format is not an integer one."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of FPGA with its overlay, its links and its memory."""

    name: str
    device: str
    clock_mhz: float
    overlay: Overlay
    links: tuple[LinkProfile, ...]
    """The first is the default."""
    weight_memory_bytes: int
    """On-chip memory usable for persistent weights."""
    weight_bytes_per_element: float
    vector_bytes_per_element: float
    """What one element of x, h, c takes on a link."""
    partial_sum_bytes_per_element: float
    """What one element of a partial sum takes on a link."""
    ignore_weight_capacity: bool = False
    """Weights count as on-chip even where they do not fit (as a paper simulated them)."""
    external_memory: ExternalMemory | None = None
    board_power: BoardPower | None = field(default=None, repr=False)
    """Not in the text that hashes are made of: no result depends on it, only the energy told from one."""
    arithmetic: Arithmetic = Arithmetic()
    network_ports: int | None = None
    """Cables that a card takes; None: no limit is known."""
    summary: str = ""
    """One line for lists."""
    status: str = ""
    """``projection``: nobody has built or measured it. Empty: its sources speak of this device."""
    extends: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Profiles that its file takes values from, nearest first; no value depends on the names."""

    def link(self, name: str | None = None) -> LinkProfile:
        """The link called ``name``, or the default one; KeyError if there is none."""
        if name is None:
            return self.links[0]
        for link in self.links:
            if link.name == name:
                return link
        raise KeyError(name)

    def with_link_latency(self, latency_ns: float) -> Profile:
        """The same profile with another latency on its default link."""
        first = replace(self.links[0], latency_ns=latency_ns)
        return replace(self, links=(first, *self.links[1:]))


@dataclass(frozen=True, slots=True)
class Cluster:
    """``fpgas`` devices of one profile, joined by ``link`` in a ``topology``."""

    profile: Profile
    fpgas: int
    topology: str = "ring"
    link_name: str | None = None

    @property
    def link(self) -> LinkProfile:
        """The link between neighbouring devices."""
        return self.profile.link(self.link_name)
