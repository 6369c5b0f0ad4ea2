"""A workload of one's own: clients who order, and the proof that each order stands in the writer once."""

import json
import uuid

from paymig.rehearsal.workload import Finding, Request

ITEMS = ("tea", "coffee", "cake")


class Workload:
    """Orders and nothing else."""

    def next(self, random):
        """Order some pieces of something."""
        order = {"item": random.choice(ITEMS), "pieces": random.randint(1, 9)}
        key = str(uuid.UUID(int=random.getrandbits(128), version=4))
        return Request("order", "POST", "/orders", json.dumps(order), key, order)

    def answered(self, request, answer):
        """The answer holds the order."""
        wrong = [name for name, value in request.expected.items() if answer.get(name) != value]
        return f"{request.key} was answered with another {' and '.join(wrong)}" if wrong else None

    def prove(self, running, receipts, unknown):
        """Every order that was acknowledged is there as it was; what was not asked for is not."""
        running.execute("SELECT key, item, pieces FROM shop.orders ORDER BY key")
        stored = {key: {"item": item, "pieces": pieces} for key, item, pieces in running.fetchall()}
        older = [stored.pop(key, None) for key in ("older-1", "older-2")]
        promised = {receipt.request.key: receipt.request.expected for receipt in receipts}
        found = sum(stored.get(key) == order for key, order in promised.items())
        strange = stored.keys() - promised.keys() - {request.key for request in unknown}
        problems = [f"{len(promised) - found} orders are not as acknowledged"] if found < len(promised) else []
        problems += ["an older order did not move"] if None in older else []
        return Finding(found, (*problems, *(f"nobody was promised {key}" for key in sorted(strange))))
