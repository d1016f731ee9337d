"""The time that SimGrid's model gives to an all-gather on a ring.

Run by `test_simgrid`, with an interpreter that has SimGrid's Python bindings.

The only argument is JSON: ``ranks``, ``shard_bytes``, ``bytes_per_s``, ``latency_s`` and ``rounds``, the
number of shards that each rank passes on to its right and to its left neighbour. Prints seconds as JSON.
"""

from __future__ import annotations

import json
import sys

from simgrid import Actor, Engine, LinkInRoute, Mailbox, NetZone

SETTINGS = [
    "--log=root.thres:error",
    "--cfg=network/model:CM02",  # latency, then the bytes at the link's full rate
    "--cfg=network/TCP-gamma:0",  # no limit on bytes under way
    "--cfg=network/crosstraffic:0",  # acknowledgements take nothing
]


def main() -> None:
    """Build the ring, run one actor per rank and direction, print when the last has ended."""
    question = json.loads(sys.argv[1])
    ranks = question["ranks"]
    engine = Engine([sys.argv[0], *SETTINGS])
    zone = NetZone.create_full_zone("ring")
    hosts = [zone.create_host(f"host {rank}", 1e9) for rank in range(ranks)]
    ends: list[float] = []

    def pass_on(rank: int, step: int, rounds: int) -> None:
        to, mine = (Mailbox.by_name(f"{step} to {(rank + hop) % ranks}") for hop in (step, 0))
        for _ in range(rounds):
            sent = to.put_async("shard", question["shard_bytes"])
            mine.get()
            sent.wait()
        ends.append(Engine.clock)

    # two ranks have one neighbour, which is right and left
    for step, rounds in zip((1, -1), question["rounds"], strict=True):
        for rank in range(ranks if rounds else 0):
            link = zone.create_link(f"link {step} {rank}", question["bytes_per_s"])
            link.set_latency(question["latency_s"]).seal()
            there = hosts[(rank + step) % ranks].netpoint
            zone.add_route(hosts[rank].netpoint, there, None, None, [LinkInRoute(link)], False)
            Actor.create(f"rank {rank} {step}", hosts[rank], pass_on, rank, step, rounds)
    zone.seal()
    engine.run()
    print(json.dumps(max(ends)))


main()
