"""Collectives as messages: the rounds of `bench.plans.collectives`, over the topology's routes.

The participants of a stage's collective are the devices that own or need its rows (or its sums),
in the order of the plan's groups. Each message follows the route from its sender to its
receiver, starts when all that it carries is there, and is sent on when it has arrived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain

from bench.hardware.topology import Topology
from bench.plans.collectives import Rounds, gather_rounds, reduction_rounds
from bench.plans.operations import AddSums
from bench.plans.outline import overlap
from bench.plans.ownership import CACHED, Needs, Shards
from bench.plans.plan import Range
from bench.plans.program import Operations
from bench.plans.setting import Setting
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import Parts, elements
from bench.plans.transfers import Carried, Exchange, add_up, adds, carried

Size = Callable[..., int]
"""Bytes of a message of so many elements; ``partial``: of partial sums."""

Add = Callable[[int, str, Key, int, list[Need], Operations], None]
"""Appends a vector instruction on so many elements: what, key, device, needs, operations."""


@dataclass(frozen=True, eq=False)
class RowRounds:
    """How a vector's rows travel by a collective.

    ``travelling``: row ranges that any device lacks, each with its owners and with those devices.
    ``number``: device and row range -> the round in which it gets there; the first is 1.
    """

    travelling: list[tuple[Range, tuple[int, ...], tuple[int, ...]]]
    number: dict[tuple[int, Range], int]


@lru_cache(maxsize=CACHED)
def row_rounds(collective: str, shards: Shards, needs: Needs, topology: Topology) -> RowRounds:
    """The gather of a vector that has ``shards``, for all who need any of it."""
    travelling = []
    for rows, owners in shards.owners.items():
        readers = tuple(
            device
            for device, ranges in needs.rows.items()
            if device not in owners and any(overlap(rows, wanted) for wanted in ranges)
        )
        if readers:
            travelling.append((rows, owners, readers))
    rounds = _gather(collective, topology, [(owners, readers) for _, owners, readers in travelling])
    number = {
        (send.receiver, travelling[n][0]): count
        for count, sends in enumerate(rounds, 1)
        for send in sends
        for n in send.shards
    }
    return RowRounds(travelling, number)


def _gather(
    collective: str, topology: Topology, shards: Sequence[tuple[Iterable[int], Iterable[int]]]
) -> Rounds:
    """The gather of shards, each with its owners and readers, among all of these."""
    owners = tuple(tuple(having) for having, _ in shards)
    readers = tuple(tuple(wanting) for _, wanting in shards)
    devices = _in_order(topology, chain.from_iterable((*owners, *readers)))
    return gather_rounds(collective, devices, owners, readers)


def _in_order(topology: Topology, devices: Iterable[int]) -> tuple[int, ...]:
    """``devices``, each once, in the order of the plan's groups."""
    return tuple(sorted(set(devices), key=topology.place.__getitem__))


@dataclass(frozen=True, slots=True)
class There:
    """Something on a device: what makes it, and behind how many hops of the exchange it is there."""

    keys: tuple[Key, ...]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one collective gather brings from devices that have it, ``owners``, to ``readers``."""

    what: Carried
    owners: Mapping[int, There]
    readers: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Elements of it."""
        return sum(each.rows[1] - each.rows[0] for each in self.what)


@dataclass(frozen=True, slots=True)
class Reduced:
    """Equal rows of sums that devices add up on the way to ``owner``; its own are not among them."""

    owner: int
    senders: Mapping[int, Parts]


Arrived = tuple[There, Parts]


class Collective:
    """The messages of one layer's collectives."""

    def __init__(self, setting: Setting, exchange: Exchange, stream: Stream, size: Size, add: Add) -> None:
        self._name = setting.collective
        self._topology = setting.topology
        self._group_of = setting.topology.group_of
        self._exchange = exchange
        self._stream = stream
        self._size = size
        self._add = add

    def gather(
        self, shards: Sequence[Gathered], what: str, *, partial_sums: bool = False
    ) -> dict[tuple[int, int], Key]:
        """Collect the messages; (shard's number, device) -> the key of its arrival there."""
        there = {(n, device): at for n, shard in enumerate(shards) for device, at in shard.owners.items()}
        homes = [{self._group_of[device] for device in shard.owners} for shard in shards]
        arrivals: dict[tuple[int, int], Key] = {}
        ends = [(shard.owners, shard.readers) for shard in shards]
        for send in chain.from_iterable(_gather(self._name, self._topology, ends)):
            home = {group for n in send.shards for group in homes[n]}
            key = self._stream.new()
            level = self._exchange.message(
                send.sender,
                send.receiver,
                key,
                self._needs([there[n, send.sender] for n in send.shards]),
                self._size(sum(shards[n].elements for n in send.shards), partial=partial_sums),
                what,
                partial(carried, tuple(each for n in send.shards for each in shards[n].what)),
                max(there[n, send.sender].level for n in send.shards),
                inside=self._group_of[send.receiver] in home,
                holds=self._group_of[send.sender] in home,
            )
            for n in send.shards:
                arrivals[n, send.receiver] = key
                there[n, send.receiver] = There((key,), level)
        return arrivals

    def reduce(
        self, sums: Sequence[Reduced], keys: Callable[[int, Parts], tuple[Key, ...]], what: str
    ) -> list[list[Arrived]]:
        """Collect messages and additions; for each of ``sums`` what arrives at its owner, to be added.

        ``keys``: what makes parts of sums on a device.
        """
        held: dict[tuple[int, int], list[Arrived]] = defaultdict(list)
        for n, reduced in enumerate(sums):
            for device, parts in reduced.senders.items():
                held[n, device].append((There(keys(device, parts)), parts))
        devices = _in_order(self._topology, (d for r in sums for d in (r.owner, *r.senders)))
        owners, holders = tuple(r.owner for r in sums), tuple(tuple(r.senders) for r in sums)
        for send in chain.from_iterable(reduction_rounds(self._name, devices, owners, holders)):
            at, totals = self.added(send.sender, [held.pop((n, send.sender)) for n in send.shards], what)
            key = self._stream.new()
            level = self._exchange.message(
                send.sender,
                send.receiver,
                key,
                self._needs([at]),
                self._size(sum(map(elements, totals)), partial=True),
                f"{what} partial sums",
                partial(carried, tuple(chain.from_iterable(totals))),
                at.level,
                inside=True,
                holds=True,
            )
            for n, parts in zip(send.shards, totals, strict=True):
                held[n, send.receiver].append((There((key,), level), parts))
        return [held[n, reduced.owner] for n, reduced in enumerate(sums)]

    def added(self, device: int, shards: Sequence[Sequence[Arrived]], what: str) -> tuple[There, list[Parts]]:
        """Each of ``shards`` added up, by one vector instruction if any has several terms."""
        level = max(at.level for terms in shards for at, _ in terms)
        totals = [add_up([parts for _, parts in terms]) for terms in shards]
        keys = [key for terms in shards if len(terms) == 1 for key in terms[0][0].keys]
        several = [(terms, total) for terms, total in zip(shards, totals, strict=True) if len(terms) > 1]
        if several:
            key = self._stream.new()
            does = partial(_added, [([parts for _, parts in terms], total) for terms, total in several])
            needs = self._needs([at for terms, _ in several for at, _ in terms])
            count = sum(elements(total) for _, total in several)
            self._exchange.collect(level, partial(self._add, count, f"{what} add", key, device, needs, does))
            keys.append(key)
        return There(tuple(dict.fromkeys(keys)), level), totals

    def _needs(self, found: Iterable[There]) -> list[Need]:
        keys = dict.fromkeys(key for at in found for key in at.keys)
        return [self._stream.need(key) for key in keys]


def _added(sums: list[tuple[list[Parts], Parts]], layer: str) -> tuple[AddSums, ...]:
    return tuple(chain.from_iterable(adds(terms, total, layer) for terms, total in sums))
