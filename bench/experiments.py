"""From a configuration file to points and shards: what is evaluated, in which job.

A *point* is one question: this workload, this cluster, this partitioner with these
parameters. A *shard* is all points of one group of experiments and one partitioner; one
job evaluates it. What several groups ask for is evaluated once, for the first of them. A
point's id depends on nothing but the point, so adding an experiment or a partitioner
changes no other point.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.errors import UserError
from bench.files import FileModel, load_yaml
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster, Profile
from bench.partitioners.choices import variants
from bench.partitioners.parameters import Scalar
from bench.partitioners.sources import check_names, expand_reference, find_source
from bench.workloads.catalogue import load_workload, workload_names
from bench.workloads.model import Workload

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
ClusterKey = tuple[str, str, str, float, int]
"""(profile, topology, link, latency in ns, FPGAs)."""

SEARCH_COST, PLUGIN_COST, MANY_FPGAS = 10, 5, 64
"""Of `Shard.cost`: a search's and a plug-in's points beside others, and what further FPGAs add nothing to."""


class PartitionerChoice(FileModel):
    """A partitioner with parameters, as ``{name: row-wise, parameters: {software_pipelining: true}}``."""

    name: str = Field(description="a name, a Python file, a folder of plans (with a slash), or a glob")
    parameters: dict[str, Scalar | list[Scalar]] = Field(
        default={},
        description="keyword arguments of its plan function; a list sweeps over its values, "
        '"*" over all values of a bool, or of an int with a Range',
    )
    repeats: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="for a partitioner with a parameter seed: run with seeds 0, 1, ..."
    )


class Experiment(FileModel):
    """A cross product of workloads, clusters and partitioners, with the baseline added to it."""

    name: Name = Field(description="name in the tables")
    title: str = Field(default="", description="one line for readers")
    group: Name = Field(
        default="all", description="experiments of one group share jobs; another group stays when it changes"
    )
    workloads: list[str] = Field(min_length=1, description="catalogue names, globs over them, or files")
    profiles: list[str] = Field(min_length=1, description="hardware profiles: names or files")
    topologies: list[str] = Field(default=["ring"], min_length=1)
    links: list[str] | None = Field(default=None, min_length=1, description="default: the profile's first")
    link_latency_ns: list[Annotated[float, Field(ge=0)]] | None = Field(
        default=None, min_length=1, description="latencies that replace the link's own"
    )
    fpgas: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    partitioners: list[str | PartitionerChoice] = Field(min_length=1, description="names, globs, choices")
    baseline: str | PartitionerChoice = Field(
        default="single", description="evaluated on one FPGA for each workload and profile"
    )


class Limits(FileModel):
    """What one point may take before it is stopped; the stop becomes its row."""

    seconds_per_point: float = Field(default=60.0, gt=0)
    memory_mib: int = Field(default=4096, ge=256, description="address space of the worker process")


class Accuracy(FileModel):
    """What the table of accuracies compares: each workload in each format, with float32."""

    workloads: list[str] = Field(min_length=1, description="catalogue names, globs over them, or files")
    formats: list[str] = Field(min_length=1, description="names of `bench list formats`")
    steps: Annotated[int, Field(gt=0)] = Field(default=8, description="time steps at most")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="of weights and input data")


class BoardSettings(FileModel):
    """What is measured on boards, beside the emulated rows (docs/boards.md)."""

    backend: Literal["auto", "fpga-emulator", "opencl"] = Field(
        default="auto",
        description="auto: boards, if there are any; fpga-emulator: Intel's, whose times mean nothing; "
        "opencl: another OpenCL device in place of all FPGAs",
    )
    experiments: list[Name] | None = Field(default=None, min_length=1, description="default: all")
    cables: str | None = Field(default=None, description="file that says which boards are cabled")
    bitstreams: str = Field(default="bitstreams", description="folder of `bench boards build`")
    repeats: Annotated[int, Field(gt=0)] = Field(default=20, description="runs that count")
    warm_up: Annotated[int, Field(ge=0)] = Field(default=3, description="runs before them")
    seconds: float = Field(default=60.0, gt=0, description="that a request to the devices may take")


class Config(FileModel):
    """All that one run of the pipeline evaluates."""

    limits: Limits = Limits()
    accuracy: Accuracy | None = Field(default=None, description="number formats to compare with float32")
    notebooks: list[str] = Field(default=[], description="notebooks to execute for figures: files or globs")
    claims: bool = Field(default=False, description="check the results against reports/expected")
    boards: BoardSettings | None = Field(default=None, description="measure points on boards, too")
    experiments: list[Experiment] = Field(min_length=1)


@dataclass(frozen=True)
class Point:
    """One evaluation. ``parameters`` is JSON with sorted keys; link and latency are always spelled out.

    ``partitioner`` is a reference (`bench.partitioners.sources`): a built-in name, a path, ...
    """

    workload: str
    profile: str
    topology: str
    link: str
    link_latency_ns: float
    fpgas: int
    partitioner: str
    parameters: str = "{}"

    @cached_property
    def point_id(self) -> str:
        """A short hash of the question, the same in every run and on every machine."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def cluster(self) -> Cluster:
        """The devices it runs on; UserError if the topology does not allow so many."""
        profile = read_profile(self.profile)
        own = profile.link(self.link).latency_ns == self.link_latency_ns
        latency = None if own else self.link_latency_ns
        return make_cluster(profile, self.fpgas, self.topology, link=self.link, link_latency_ns=latency)


@dataclass(frozen=True)
class Shard:
    """The points of one job. ``entries`` are (experiment, point), no pair twice."""

    name: str
    partitioner: str
    entries: tuple[tuple[str, Point], ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """Each point once, although several experiments may ask for it."""
        return tuple(dict.fromkeys(point for _, point in self.entries))

    @property
    def cost(self) -> int:
        """Roughly how long it takes beside others, so that long ones can start first; of no unit."""
        each = SEARCH_COST if self.partitioner == "full" else 1
        each = PLUGIN_COST if find_source(self.partitioner).isolated else each
        return sum(
            each * len(read_workload(point.workload).layers) * min(point.fpgas, MANY_FPGAS)
            for point in self.points
        )


@cache
def read_workload(name: str) -> Workload:
    """`load_workload`, once a process."""
    return load_workload(name)


@cache
def read_profile(name: str) -> Profile:
    """`load_profile`, once a process."""
    return load_profile(name)


def read_config(path: Path) -> Config:
    """Read a configuration that has been checked; UserError if it does not agree with the schema."""
    return load_yaml(path, Config)


def load_config(path: Path) -> Config:
    """Read a configuration and check everything it names.

    Raises UserError with all mistakes at once: schema, unknown workloads, profiles, links,
    number formats, partitioners and parameters, clusters that a topology does not allow.
    """
    config = read_config(path)
    problems = [f"{path}: accuracy: {text}" for text in _check_accuracy(config.accuracy)]
    problems += [f"{path}: boards: {text}" for text in _check_boards(config)]
    seen: set[str] = set()
    references: dict[str, None] = {}
    for number, experiment in enumerate(config.experiments):
        place = f"{path}: experiments[{number}] ({experiment.name})"
        if experiment.name in seen:
            problems.append(f"{place}: the name is used twice; rename one")
        seen.add(experiment.name)
        found: dict[str, None] = {}
        try:
            for point in expand(experiment, found):
                references[point.partitioner] = None
                try:
                    point.cluster  # noqa: B018 - building it is the check
                except UserError as error:
                    found[str(error)] = None
        except UserError as error:
            found[str(error)] = None
        problems += [f"{place}: {text}" for text in found]
    problems += [f"{path}: {text}" for text in check_names(references)]
    if problems:
        raise UserError("\n".join(problems))
    return config


def expand(experiment: Experiment, problems: dict[str, None] | None = None) -> Iterator[Point]:
    """The points of one experiment in the order of its file, baseline first, no point twice.

    Mistakes are added to ``problems``, whose keys are messages; without it the first
    one is raised as UserError.
    """
    found: dict[str, None] = {} if problems is None else problems
    workloads = expand_workloads(experiment.workloads, found)
    clusters = _clusters(experiment, found)
    choices = expand_choices(experiment.partitioners, found)
    baseline = expand_choices([experiment.baseline], found)
    if found:
        if problems is None:
            raise UserError("\n".join(found))
        return
    bases: dict[str, ClusterKey] = {}
    for profile, topology, link, latency, _ in clusters:
        bases.setdefault(profile, (profile, topology, link, latency, 1))
    for workload in workloads:
        wanted = [*product(bases.values(), baseline), *product(clusters, choices)]
        yield from dict.fromkeys(Point(workload, *cluster, *choice) for cluster, choice in wanted)


def make_shards(config: Config) -> tuple[Shard, ...]:
    """The jobs of a configuration, sorted by name; a point belongs to the first group that asks for it."""
    entries: dict[tuple[str, str, str], list[tuple[str, Point]]] = {}
    names: dict[str, str] = {}
    groups: dict[Point, str] = {}
    for experiment in config.experiments:
        for point in expand(experiment):
            reference = point.partitioner
            name = names[reference] = names.get(reference) or find_source(reference).name
            group = groups.setdefault(point, experiment.group)
            entries.setdefault((group, name, reference), []).append((experiment.name, point))
    return tuple(
        Shard(f"{group}--{name}", reference, tuple(members))
        for (group, name, reference), members in sorted(entries.items())
    )


def canonical(parameters: Mapping[str, Scalar]) -> str:
    """Parameters as the JSON that points and rows carry."""
    return json.dumps(dict(parameters), sort_keys=True, separators=(",", ":"))


def accuracy_workloads(accuracy: Accuracy, problems: dict[str, None] | None = None) -> list[str]:
    """Names of the workloads that the table of accuracies compares; mistakes go into ``problems``."""
    return expand_workloads(accuracy.workloads, {} if problems is None else problems)


def _check_boards(config: Config) -> list[str]:
    """Experiments that the section ``boards`` names and that there are not."""
    names = {experiment.name for experiment in config.experiments}
    wanted = (config.boards and config.boards.experiments) or []
    known = ", ".join(sorted(names))
    return [f"experiments: {name!r} is none of {known}" for name in wanted if name not in names]


def _check_accuracy(accuracy: Accuracy | None) -> list[str]:
    """All mistakes in the section ``accuracy``."""
    if accuracy is None:
        return []
    from bench.numerics.formats import load_format  # numpy; listing needs none

    problems: dict[str, None] = {}
    accuracy_workloads(accuracy, problems)
    for name in accuracy.formats:
        try:
            load_format(name)
        except UserError as error:
            problems[str(error)] = None
    return list(problems)


def expand_workloads(patterns: list[str], problems: dict[str, None]) -> list[str]:
    """Names of workloads, globs over the catalogue spelled out; mistakes go into ``problems``."""
    names: dict[str, None] = {}
    for wanted in patterns:
        for name in _matching(wanted, problems):
            try:
                read_workload(name)
                names[name] = None
            except UserError as error:
                problems[str(error)] = None
    return list(names)


def _clusters(experiment: Experiment, problems: dict[str, None]) -> list[ClusterKey]:
    """All combinations."""
    clusters: list[ClusterKey] = []
    for name in experiment.profiles:
        try:
            profile = read_profile(name)
        except UserError as error:
            problems[str(error)] = None
            continue
        links: list[str | None] = [*experiment.links] if experiment.links else [None]
        for topology, link_name in product(experiment.topologies, links):
            try:
                link = make_cluster(profile, 1, topology, link=link_name).link
            except UserError as error:
                problems[str(error)] = None
                continue
            latencies = experiment.link_latency_ns or [link.latency_ns]
            for latency, fpgas in product(latencies, experiment.fpgas):
                clusters.append((name, topology, link.name, float(latency), fpgas))
    return clusters


def expand_choices(wanted: list[str | PartitionerChoice], problems: dict[str, None]) -> list[tuple[str, str]]:
    """(reference, parameters as JSON) of every choice, globs and sweeps replaced by what they stand for."""
    choices: dict[tuple[str, str], None] = {}
    for item in wanted:
        choice = PartitionerChoice(name=item) if isinstance(item, str) else item
        try:
            references = expand_reference(choice.name)
        except UserError as error:
            problems[str(error)] = None
            continue
        for reference in references:
            try:
                for parameters in variants(reference, choice.parameters, choice.repeats):
                    choices[reference, canonical(parameters)] = None
            except UserError as error:
                problems[str(error)] = None
    return list(choices)


def _matching(pattern: str, problems: dict[str, None]) -> list[str]:
    """Workloads that ``pattern`` stands for: what a glob matches, or itself."""
    if not any(sign in pattern for sign in "*?["):
        return [pattern]
    matches = [name for name in workload_names() if fnmatchcase(name, pattern)]
    if not matches:
        problems[f"no workload matches {pattern!r}; see `bench list workloads`"] = None
    return matches


def notebooks(config: Config, suite: Path) -> dict[str, Path]:
    """Name and file of each notebook of a configuration; UserError if an entry matches none.

    What the working directory does not have is looked for in ``suite``, the folder of the suite's own.
    """
    found: dict[str, Path] = {}
    for pattern in config.notebooks:
        files = sorted(Path().glob(pattern)) or sorted(suite.glob(pattern))
        if not files:
            raise UserError(f"notebooks: no file matches {pattern!r}")
        found |= {file.stem: file for file in files}
    return found
