"""Measure the pause of writes: switchovers and switchbacks under load, between two real servers on this machine.

    python benchmarks/switchover.py [--rows 1000000] [--rounds 20] [--clients 4]

Clients pay at whichever database takes it and keep every receipt; at the end each is looked up in the writer.
"""

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).parent.parent))

from paymig.embedded.postgres import Postgres
from paymig.embedded.process import EmbeddedAws
from runtime_lambdas.switchover.decide import Wish
from tests.runtime_lambdas.replication.pair import SETTINGS, Pair
from tests.runtime_lambdas.switchover.stage import Clients, Stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="payments there at the beginning")
    parser.add_argument("--rounds", type=int, default=20, help="switchovers, and as many switchbacks")
    parser.add_argument("--clients", type=int, default=4)
    asked = parser.parse_args()
    with ExitStack() as stack:
        older, newer = (stack.enter_context(Postgres.start(major, SETTINGS)) for major in (16, 18))
        aws = stack.enter_context(EmbeddedAws())
        variables = aws.environment()
        pair = Pair(older, newer)
        stage = Stage(
            pair,
            lambda: boto3.client(
                "dynamodb",
                endpoint_url=aws.endpoint_url,
                region_name=variables["AWS_DEFAULT_REGION"],
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            ),
        )
        stage.load(asked.rows)
        pauses, gaps = {wish: [] for wish in (Wish.SWITCHOVER, Wish.SWITCHBACK)}, []
        began = time.monotonic()
        with Clients(stage, asked.clients, pause=0.012) as clients:
            for _ in range(asked.rounds):
                for wish, known in pauses.items():
                    known.append(stage.move(wish).pause)
                    time.sleep(0.5)
                    gaps.append(max(clients.gaps))
                    clients.gaps.clear()
        seconds = time.monotonic() - began
        clients.prove("source")
        print(f"{asked.rows} rows, {len(clients.promised) / seconds:.0f} payments a second, {asked.clients} clients")
        for wish, known in pauses.items():
            median, worst = 1000 * statistics.median(known), 1000 * max(known)
            print(f"{wish}: pause on the servers: median {median:.0f} ms, worst {worst:.0f} ms, of {len(known)}")
        print(f"a client's longest gap: median {statistics.median(gaps):.3f} s, worst {max(gaps):.3f} s")
        print(f"failed requests {len(clients.errors)}; of {len(clients.promised)} receipts lost 0, doubled 0")
        stage.close()
        pair.end()


if __name__ == "__main__":
    main()
