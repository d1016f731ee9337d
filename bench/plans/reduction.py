"""What of a stage's sums a collective carries: reductions, all-reductions, and gates that several need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench.plans.collectives import pieces
from bench.plans.outline import overlap
from bench.plans.plan import Range
from bench.plans.rounds import Collective, Gathered, Reduced, There
from bench.plans.stream import Key
from bench.plans.sums import Arrival, Delivery, Part, Parts, alike

Arrivals = dict[int, list[Arrival]]
"""Owner of a stage's rows -> what comes to it."""


@dataclass(frozen=True)
class _Whole:
    """Rows that several devices own, and the parts of their sums that all of them need the total of."""

    owners: tuple[int, ...]
    given: dict[int, Parts]
    complete: bool
    arrivals: Arrivals

    def pieces(self) -> list[tuple[int, dict[int, Parts]]]:
        """A piece of the rows for each owner, and what each device gives of it."""
        first = next(iter(self.given.values()))
        rows = min(part.rows[0] for part in first), max(part.rows[1] for part in first)
        cut = [
            (owner, {device: _within(parts, piece) for device, parts in self.given.items()})
            for owner, piece in zip(self.owners, pieces(rows, len(self.owners)), strict=False)
        ]
        return [(owner, given) for owner, given in cut if next(iter(given.values()))]


@dataclass
class StageSums:
    """Collects the sums of one stage, all its rows, that travel by a collective; `send` sends them.

    Sums that are added on the way go to their owner by a reduction. Where several devices own the
    same rows, each adds up a piece of them and the totals are gathered. Complete sums that
    several owners need are gathered. What one owner alone needs, and what devices add on arrival
    because they hold different rows, keeps to the routes; so does what is sent a step ahead.
    ``keys``: what makes parts of sums on a device.
    """

    collective: Collective
    keys: Callable[[int, Parts], tuple[Key, ...]]
    _reduced: list[tuple[Reduced, list[Arrival]]] = field(default_factory=list)
    _whole: list[_Whole] = field(default_factory=list)
    # partial or not -> device, what it sends, and for whom
    _gathered: dict[bool, list[tuple[int, Part, Arrivals]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, delivery: Delivery, arrivals: Arrivals) -> Delivery:
        """What is left of ``delivery``; the lists in ``arrivals`` are completed by `send`."""
        local = dict(delivery.local)
        whole = _whole(delivery, arrivals)
        if whole is not None:
            self._whole.append(whole)
            given = {part for parts in whole.given.values() for part in parts}
            local = {owner: tuple(p for p in parts if p not in given) for owner, parts in local.items()}
        else:
            for owner, senders in delivery.reduced.items():
                self._reduced.append((Reduced(owner, senders), arrivals[owner]))
        left = []
        for message in delivery.sent:
            device, targets, part, is_partial = message
            if len(targets) > 1:
                mine = {owner: arrivals[owner] for owner in targets}
                self._gathered[is_partial].append((device, part, mine))
            else:
                left.append(message)
        return replace(delivery, local=local, reduced={}, sent=left)

    def send(self, stage: str) -> None:
        """Collect the messages of all that was taken."""
        found = self.collective.reduce([reduced for reduced, _ in self._reduced], self.keys, stage)
        for (_, arrivals), terms in zip(self._reduced, found, strict=True):
            arrivals += [Arrival(at.keys[0], parts, partial=True) for at, parts in terms]
        for is_partial, sent in self._gathered.items():
            shards = [
                Gathered((part,), {device: There(self.keys(device, (part,)))}, tuple(arrivals))
                for device, part, arrivals in sent
            ]
            kind = "partial sums" if is_partial else "gates"
            keys = self.collective.gather(shards, f"{stage} {kind}", partial_sums=is_partial)
            for n, (_, part, to) in enumerate(sent):
                for owner, arrivals in to.items():
                    arrivals.append(Arrival(keys[n, owner], (part,), partial=is_partial))
        self._all_reduce(stage)

    def _all_reduce(self, stage: str) -> None:
        """Add up a piece of the rows on each owner, then gather the totals."""
        work = [(whole, owner, given) for whole in self._whole for owner, given in whole.pieces()]
        others = [
            Reduced(owner, {device: parts for device, parts in given.items() if device != owner})
            for _, owner, given in work
        ]
        found = self.collective.reduce(others, self.keys, stage)
        by_kind: dict[bool, list[tuple[Parts, Gathered, _Whole]]] = defaultdict(list)
        for (whole, owner, given), terms in zip(work, found, strict=True):
            own = given.get(owner)
            mine = [(There(self.keys(owner, own)), own)] if own else []
            at, (total,) = self.collective.added(owner, [[*mine, *terms]], stage)
            whole.arrivals[owner].append(Arrival(at.keys[0], total, partial=not whole.complete))
            readers = tuple(device for device in whole.owners if device != owner)
            by_kind[not whole.complete].append((total, Gathered(total, {owner: at}, readers), whole))
        for is_partial, totals in by_kind.items():
            kind = "partial sums" if is_partial else "gates"
            shards = [shard for _, shard, _ in totals]
            keys = self.collective.gather(shards, f"{stage} {kind}", partial_sums=is_partial)
            for n, (total, shard, whole) in enumerate(totals):
                for owner in shard.readers:
                    whole.arrivals[owner].append(Arrival(keys[n, owner], total, partial=is_partial))


def _whole(delivery: Delivery, arrivals: Arrivals) -> _Whole | None:
    """The rows as an all-reduction: if each of several owners gets the same total from the same parts."""
    owners = tuple(delivery.local)
    if len(owners) < 2 or delivery.reduced.keys() != delivery.local.keys():
        return None
    early = {part for coming in arrivals.values() for arrival in coming for part in arrival.parts}
    everywhere = set.intersection(*(set(parts) for parts in delivery.local.values()))
    giver: dict[Part, int] = {}
    for owner, parts in delivery.local.items():
        for part in parts:
            if part not in everywhere and part not in early:
                giver.setdefault(part, owner)
    for senders in delivery.reduced.values():
        for device, parts in senders.items():
            for part in parts:
                giver.setdefault(part, device)
    given: dict[int, list[Part]] = defaultdict(list)
    for part in sorted(giver, key=lambda part: (part.sum, part.rows, part.origins)):
        given[giver[part]].append(part)
    by_device = {device: tuple(parts) for device, parts in sorted(given.items())}
    if not alike(by_device.values()):
        return None
    return _Whole(owners, by_device, not everywhere and not early, arrivals)


def _within(parts: Parts, rows: Range) -> Parts:
    """What of ``parts`` lies within ``rows``."""
    cut = ((part, overlap(part.rows, rows)) for part in parts)
    return tuple(part._replace(rows=common) for part, common in cut if common)
