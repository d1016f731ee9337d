"""Whether an instruction waits for what it reads: dependences, followed back through time."""

from __future__ import annotations

from bench.plans.program import Phase, Wait


class Order:
    """Answers for one phase whether a result is there by its dependences alone, whatever the timing."""

    def __init__(self, phase: Phase) -> None:
        # of each instruction: what it waits for, how many iterations back, whether for the whole result
        self._waits = [
            [(wait.on, wait.back, wait.wait != Wait.BLOCKS) for wait in now.waits]
            for now in phase.instructions
        ]
        self._known: dict[tuple[int, int, int, bool], bool] = {}

    def follows(self, reader: int, writer: int, back: int, *, whole: bool) -> bool:
        """Whether ``reader`` waits for ``writer`` of ``back`` iterations earlier, directly or through others.

        ``whole``: for the whole result; else waiting vector by vector is enough (chaining), where
        both go through the same rows. What an instruction has made itself in this iteration is there.
        What it made in an earlier one is there vector by vector, for a unit works in order, but the
        last vectors may still be in the pipeline unless it waits for them.
        """
        if reader == writer and (back == 0 or not whole):
            return True
        for on, before, complete in self._waits[reader]:
            if on == writer and before <= back and (complete or not whole):
                return True
        key = (reader, writer, back, whole)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._search(*key)
        return known

    def _search(self, reader: int, writer: int, back: int, whole: bool) -> bool:
        front = [(reader, back, not whole)]
        seen = set(front)
        while front:
            n, left, complete = front.pop()
            for on, before, all_of_it in self._waits[n]:
                state = (on, left - before, complete or all_of_it)
                if state[1] < 0 or state in seen:
                    continue
                if state[0] == writer and state[2]:
                    return True  # of this iteration or, for a unit works in order, a later one
                seen.add(state)
                front.append(state)
        return False
