"""Measure the pause of writes: switchovers and switchbacks under load, between two real servers on this machine.

    python benchmarks/switchover.py [--rows 1000000] [--rounds 20] [--clients 4]

The load goes through the payments API, which finds the writer by the journal. Its clients keep every answer, and at the
end each is looked up in the writer.
"""

import argparse
import statistics
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from paymig.embedded.postgres import Postgres
from paymig.embedded.process import EmbeddedAws
from runtime_lambdas.switchover.decide import Wish
from runtime_lambdas.switchover.phases import PAUSE, Step
from tests.runtime_lambdas.replication.pair import SETTINGS, Pair
from tests.runtime_lambdas.switchover.clients import Clients
from tests.runtime_lambdas.switchover.stage import Stage

PAUSED = [step for step in PAUSE if step is not Step.COMMIT] + [Step.OPEN]
_BETWEEN = 0.5  # seconds of payments between two moves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="payments there at the beginning")
    parser.add_argument("--rounds", type=int, default=20, help="switchovers, and as many switchbacks")
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    figures: dict[Wish, dict[str, list[float]]] = {
        wish: defaultdict(list) for wish in (Wish.SWITCHOVER, Wish.SWITCHBACK)
    }
    with ExitStack() as stack:
        older, newer = (stack.enter_context(Postgres.start(major, SETTINGS)) for major in (16, 18))
        stage = Stage(Pair(older, newer), stack.enter_context(EmbeddedAws()))
        stack.callback(stage.pair.end)
        stack.callback(stage.close)
        stage.load(asked.rows)
        began = time.monotonic()
        with Clients(stage, asked.clients, pause=0.012) as clients:
            for number in range(asked.rounds):
                for wish, known in figures.items():
                    measure(stage, clients, wish, known)
                    print(f"\r{number + 1}/{asked.rounds} {wish}", end="", file=sys.stderr, flush=True)
        seconds = time.monotonic() - began
        clients.prove("source")  # each promise was kept, once; it raises otherwise
        if failed := clients.failures:
            sys.exit(f"{len(failed)} requests failed, the first one with {failed[0]}")
    done, again = len(clients.promised), clients.refused
    rate = f"{done / seconds:.0f} payments a second for {seconds:.0f} s"
    print(f"\n{asked.rows:,} payments at first; {asked.clients} clients, {rate}")
    print(f"{'milliseconds: median, worst':28}" + "".join(f"{wish:>20}" for wish in figures))
    for name in next(iter(figures.values())):
        print(f"{name:28}" + "".join(f"{words(known[name]):>20}" for known in figures.values()))
    print(f"failed requests 0; told to come again {again}; of {done:,} receipts lost 0, doubled 0")


def measure(stage: Stage, clients: Clients, wish: Wish, known: dict[str, list[float]]) -> None:
    """Move the writer once and note, in milliseconds, the pause, its steps, and the longest gap of any client."""
    clients.read()
    clients.gaps.clear()
    outcome = stage.move(wish)
    assert outcome.pause is not None
    time.sleep(_BETWEEN)
    clients.served()
    known["pause on the servers"].append(1000 * outcome.pause)
    for step in PAUSED:
        [took] = [event.seconds for event in stage.events if (event.step, event.what) == (step, "done")]
        known[f"  {step}"].append(1000 * took)
    known["  the journal"].append(known["pause on the servers"][-1] - sum(known[f"  {step}"][-1] for step in PAUSED))
    known["a client's longest gap"].append(1000 * max(clients.gaps))


def words(figures: list[float]) -> str:
    return f"{statistics.median(figures):.0f}, {max(figures):.0f}"


if __name__ == "__main__":
    main()
