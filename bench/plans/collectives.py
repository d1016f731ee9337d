"""Collectives: who sends what to whom, round by round, where messages are not left to the routes.

Plain functions, without links, bytes or time. A gather brings every shard from its owners to all
that read it; a reduction brings what several devices have of a shard to its owner, and each
device adds what it has received to its own before it passes that on. `bench.plans.rounds` makes
messages of them.

===========  ==================================================  =====================  =============
name         gather of p devices' shards                         reduction              rounds
===========  ==================================================  =====================  =============
``pairwise`` own shard to the device 1, 2, 3, ... places on  the same run backwards p - 1
``ring``     each shard to the next device, again and again      the same way round     p - 1
``doubling`` all gathered so far to the partner 1, 2, 4, ...     recursive halving      log2(p)
             places away
``bruck``    all gathered so far to the device 1, 2, 4, ...      the same run backwards ceil(log2(p))
             places on
``tree``     a binomial tree from each owner                     a tree to each owner   ceil(log2(p))
===========  ==================================================  =====================  =============

Where p is no power of two, ``doubling`` folds the devices beyond the largest one below it: each
sends its shard to a device of the front part before, and gets all others from it at the end, two
rounds more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bench.plans.plan import ROUTES, Range

Devices = tuple[int, ...]
Step = tuple[int, int, tuple[int, ...]]
"""A message between places in the order of devices: from, to, and the places whose shards it carries."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message: ``shards``, by number, from device ``sender`` to device ``receiver``."""

    sender: int
    receiver: int
    shards: tuple[int, ...]


Rounds = tuple[tuple[Send, ...], ...]
"""Messages of a round may carry what came in earlier rounds."""


@lru_cache(maxsize=1024)
def gather_rounds(
    collective: str, devices: Devices, owners: tuple[Devices, ...], readers: tuple[Devices, ...]
) -> Rounds:
    """The messages that bring each shard from ``owners[n]``, which all have it, to ``readers[n]``.

    ``devices``: all of them, in the order in which the collective counts them. The first owner in
    this order brings a shard in. What a receiver has already, and what nobody from there on
    reads, is left out; what a device only passes on is not.
    """
    if len(devices) < 2:
        return ()
    homes = [min(having, key=devices.index) for having in owners]
    rounds = _on_devices(GATHERS[collective](len(devices)), devices, homes)
    return _wanted(_new(rounds, owners), owners, readers)


@lru_cache(maxsize=1024)
def reduction_rounds(
    collective: str, devices: Devices, owners: Devices, holders: tuple[Devices, ...]
) -> Rounds:
    """The messages that bring what ``holders[n]`` have of shard n to its owner ``owners[n]``.

    A device sends each shard once, when all that it will receive of it is there.
    """
    if len(devices) < 2:
        return ()
    steps = _backwards(collective, len(devices))
    holding = [set(having) for having in holders]
    kept = []
    for sends in _on_devices(steps, devices, owners):
        found = []
        for send in sends:
            shards = tuple(n for n in send.shards if send.sender in holding[n])
            for n in shards:
                holding[n] -= {send.sender}
                holding[n] |= {send.receiver}
            found.append(Send(send.sender, send.receiver, shards))
        kept.append(found)
    return _without_empty(kept)


def pieces(rows: Range, count: int) -> list[Range]:
    """``rows`` in ``count`` consecutive ranges that differ by one at most; empty ones left out."""
    start, size = rows[0], rows[1] - rows[0]
    edges = [start + size * n // count for n in range(count + 1)]
    return [(a, b) for a, b in pairwise(edges) if a < b]


# --- the algorithms, among ``count`` places ------------------------------------------------


def _pairwise(count: int) -> list[list[Step]]:
    return [[(n, (n + turn) % count, (n,)) for n in range(count)] for turn in range(1, count)]


def _ring(count: int) -> list[list[Step]]:
    return [[(n, (n + 1) % count, ((n - turn) % count,)) for n in range(count)] for turn in range(count - 1)]


def _doubling(count: int) -> list[list[Step]]:
    front = 1 << (count.bit_length() - 1)
    folded = range(count - front)
    rounds: list[list[Step]] = [[(front + n, n, (front + n,)) for n in folded]]
    reach = 1
    while reach < front:
        sends: list[Step] = []
        for n in range(front):
            near = range(n - n % reach, n - n % reach + reach)
            sends.append((n, n ^ reach, (*near, *(front + m for m in near if m in folded))))
        rounds.append(sends)
        reach *= 2
    rounds.append([(n, front + n, tuple(m for m in range(count) if m != front + n)) for n in folded])
    return rounds


def _bruck(count: int) -> list[list[Step]]:
    rounds: list[list[Step]] = []
    reach = 1
    while reach < count:
        carried = range(min(reach, count - reach))
        rounds.append(
            [(n, (n + reach) % count, tuple((n - m) % count for m in carried)) for n in range(count)]
        )
        reach *= 2
    return rounds


def _tree(count: int) -> list[list[Step]]:
    rounds: list[list[Step]] = []
    reach = 1 << (count - 1).bit_length()
    while reach > 1:
        reach //= 2
        rounds.append(
            [
                ((root + n) % count, (root + n + reach) % count, (root,))
                for root in range(count)
                for n in range(0, count - reach, 2 * reach)
            ]
        )
    return rounds


GATHERS: dict[str, Callable[[int], list[list[Step]]]] = {
    "pairwise": _pairwise,
    "ring": _ring,
    "doubling": _doubling,
    "bruck": _bruck,
    "tree": _tree,
}

COLLECTIVES = (ROUTES, *GATHERS)
"""What a plan may say."""


def _backwards(collective: str, count: int) -> list[list[Step]]:
    """The gather run backwards: each shard comes together where it was spread from.

    Where messages go on in the order of places, those of the reduction are to do so too: there
    it is the gather the other way round that is run backwards.
    """
    rounds = GATHERS[collective](count)
    if collective != "doubling":
        rounds = [
            [
                (-of % count, -to % count, tuple(-place % count for place in places))
                for of, to, places in sends
            ]
            for sends in rounds
        ]
    return [[(to, of, places) for of, to, places in sends] for sends in reversed(rounds)]


# --- from places to devices and shards -----------------------------------------------------


def _on_devices(rounds: list[list[Step]], devices: Sequence[int], homes: Sequence[int]) -> list[list[Send]]:
    """The same among ``devices``; ``homes``: the device at whose place each shard counts."""
    at: dict[int, list[int]] = defaultdict(list)
    for shard, device in enumerate(homes):
        at[device].append(shard)
    return [
        [
            Send(devices[of], devices[to], tuple(n for place in places for n in at[devices[place]]))
            for of, to, places in sends
        ]
        for sends in rounds
    ]


def _new(rounds: list[list[Send]], owners: Sequence[Collection[int]]) -> list[list[Send]]:
    """Without what a receiver has already."""
    having = [set(devices) for devices in owners]
    kept = []
    for sends in rounds:
        found = []
        for send in sends:
            shards = tuple(n for n in send.shards if send.receiver not in having[n])
            for n in shards:
                having[n].add(send.receiver)
            found.append(Send(send.sender, send.receiver, shards))
        kept.append(found)
    return kept


def _wanted(
    rounds: list[list[Send]], owners: Sequence[Collection[int]], readers: Sequence[Collection[int]]
) -> Rounds:
    """Without what nobody from the receiver on reads; each shard reaches a device once."""
    wanting = [set(devices) for devices in readers]
    kept = []
    for sends in reversed(rounds):
        found = []
        for send in sends:
            shards = tuple(n for n in send.shards if send.receiver in wanting[n])
            for n in shards:
                wanting[n] |= {send.sender} - set(owners[n])
            found.append(Send(send.sender, send.receiver, shards))
        kept.append(found)
    return _without_empty(kept[::-1])


def _without_empty(rounds: list[list[Send]]) -> Rounds:
    kept = (tuple(send for send in sends if send.shards) for sends in rounds)
    return tuple(sends for sends in kept if sends)
