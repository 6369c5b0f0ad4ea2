"""Comparing one table: range by range on both servers at once, then row by row what is not the same."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from runtime_lambdas.runtime.journal.control import SIDES, Side

from . import changes, chunks, digest, multiset, rows
from .canonical import Key
from .changes import Changed, Cut
from .chunks import Chunk, Disordered
from .details import describe
from .digest import Digest, Hash
from .lag import Heartbeat, Wait
from .options import Options, Progress, Watch
from .report import TableResult
from .rows import Version
from .server import Ask, Server
from .settle import Pair, settle
from .shape import Shape

Found = TypeVar("Found")
Where = TypeVar("Where")
Answer = Digest | Changed

_SUSPECTS = 5_000  # rows that are held until the end; more are looked at again at once
_FETCHED = 1_000  # rows of a differing chunk whose keys and hashes are fetched together
_TOGETHER = 8  # differing chunks whose rows are looked for at the same time
_DRILLED = 50_000  # rows of differing buckets that are fetched together
_UNKNOWN = "{} rows could not be told: they kept changing, or replication has not brought them"


@dataclass
class Work:
    """A table while it is compared.

    Attributes:
        frontier: The key up to which everything was compared but for `unlike`; None before the first chunk.
        unlike: Chunks below the frontier that differ, each with its rows at most, where nobody has looked for the rows.
        read: Whether every row was read; nothing but suspects is left then.
        suspects: Keys of rows that were not the same when they were read.
    """

    shape: Shape
    whole: Chunk
    result: TableResult
    frontier: Key | None = None
    unlike: list[tuple[Chunk, int]] = field(default_factory=list)
    read: bool = False
    suspects: list[Key] = field(default_factory=list)


class Engine:
    """Compares tables of two servers.

    Args:
        source: The source.
        target: The target.
        options: How.
        since: Limits the comparison to what was written since; None compares everything.
        watch: Is told how far it is.
        wait: Waits for replication before a look; by default for a heartbeat.
    """

    def __init__(
        self,
        source: Server,
        target: Server,
        options: Options,
        since: Cut | None = None,
        watch: Watch | None = None,
        wait: Wait | None = None,
    ) -> None:
        self._servers: dict[Side, Server] = {"source": source, "target": target}
        self._options = options
        self._since = since
        self._watch = watch
        self._wait = wait
        answers = {server.run(partial(digest.agreed, wished=options.hash)) for server in (source, target)}
        self._hash: Hash = "sha256" if "sha256" in answers else "md5"
        self._most = min(_SUSPECTS, options.limit)
        self._ahead = 2 * options.connections + 2
        self._until = None if options.seconds is None else time.monotonic() + options.seconds

    @property
    def out_of_time(self) -> bool:
        """Whether to stop and keep what was done."""
        return self._until is not None and time.monotonic() >= self._until

    def scan(
        self, work: Work, snapshots: dict[Side, str] | None = None, keep: Callable[[], None] = lambda: None
    ) -> None:
        """Read the rest of a table and note the rows that are not the same; stops early when it is out of time.

        Args:
            work: The table; what is known of it grows.
            snapshots: Exported snapshots to read in.
            keep: Called after each range, when `work` is worth keeping.
        """
        if not work.shape.ranged:
            self._scan_buckets(work, snapshots)
            return
        try:
            self._scan_ranges(work, snapshots, keep)
        except Disordered:
            work.frontier, work.unlike, work.suspects = None, [], []
            work.result = TableResult(work.shape.full_name, disagreements=list(work.shape.disagreements))
            self._scan_buckets(work, snapshots)

    def settle(self, work: Work) -> None:
        """Look at the suspects until it is known which of them differ."""
        if not work.suspects:
            return
        options = self._options
        leader, follower = options.leader, SIDES[options.leader == "source"]
        wait = self._wait or Heartbeat(
            self._servers[leader], self._servers[follower], options.patience, options.pause, leader
        )
        until = time.monotonic() + options.patience
        read = rows.by_key if work.shape.key else lambda shape, _, keys: multiset.by_hash(shape, keys)

        def ask(side: Side, keys: Sequence[Key]) -> dict[Key, Version]:
            return self._servers[side].run(read(work.shape, side, keys))

        suspects, work.suspects = work.suspects, []
        settled = settle(
            suspects,
            partial(ask, leader),
            partial(ask, follower),
            wait,
            until if self._until is None else min(until, self._until),
        )
        result = work.result
        if settled.unsettled and self.out_of_time:
            work.suspects = settled.unsettled  # whoever goes on looks again
        else:
            result.unsettled += len(settled.unsettled)
        if result.unsettled:
            result.note = _UNKNOWN.format(result.unsettled)
        describe(self._servers, work.shape, result, _sides(settled.different, leader), options)
        self._tell(work)

    def _scan_ranges(self, work: Work, snapshots: dict[Side, str] | None, keep: Callable[[], None]) -> None:
        size = chunks.size(work.shape, self._options.chunk_rows)
        rest = Chunk(work.frontier or work.whole.low, work.whole.high)
        cuts = chunks.cut(self._servers["source"], work.shape, size, rest, (snapshots or {}).get("source"))
        result = work.result
        for chunk, ours, theirs in self._answers(
            ((some, self._question(work.shape, some)) for some in _grouped(cuts, chunks.TOGETHER)), snapshots
        ):
            last = chunk.high == work.whole.high
            if (len(work.unlike) >= _TOGETHER or last) and not self._look_into(work, snapshots):
                return
            if isinstance(ours, Changed) and isinstance(theirs, Changed):
                keys = sorted(ours.keys | theirs.keys)
                self._suspect(work, self._unlike(partial(rows.by_key, work.shape, keys=keys), snapshots))
            if ours[:2] != theirs[:2]:
                work.unlike.append((chunk, max(ours.rows, theirs.rows)))
            result.rows_source += ours.rows
            result.rows_target += theirs.rows
            result.chunks += 1
            work.frontier = chunk.high or work.frontier
            self._tell(work)
            if self._enough(work):
                return
            if not last:
                keep()
                if self.out_of_time:
                    return
        self._look_into(work, snapshots)
        work.read = not self._enough(work)

    def _question(self, shape: Shape, some: Sequence[Chunk]) -> Callable[[Side], Ask[Sequence[Answer]]]:
        since = self._since
        if since is None:
            return lambda side: digest.digests(shape, side, some, self._hash)
        return lambda side: changes.changed(shape, side, some, since.on(side))

    def _look_into(self, work: Work, snapshots: dict[Side, str] | None) -> bool:
        """Look for the rows of chunks that differ, and tell whether to go on: there is time, and not enough was found.

        A chunk that was looked into is done with, so that its rows are counted once.
        """
        for found in self._drill(work.shape, list(work.unlike), snapshots):
            del work.unlike[0]
            self._suspect(work, found)
            if self._enough(work) or (work.unlike and self.out_of_time):
                return False
        return True

    def _drill(
        self, shape: Shape, unlike: Sequence[tuple[Chunk, int]], snapshots: dict[Side, str] | None
    ) -> Iterator[set[Key]]:
        """Yield for each of some chunks, which differ and have so many rows, the keys that are not the same.

        All chunks at once keep the servers busy; rows of parts that are alike stay there.
        """
        fetched = [(number, chunk) for number, (chunk, size) in enumerate(unlike) if size <= _FETCHED]
        try:
            fetched += [
                place
                for place, ours, theirs in self._answers(
                    (
                        (
                            [(number, part) for part in parts],
                            partial(digest.digests, shape, some=parts, hash_=self._hash),
                        )
                        for number, parts in self._parts(shape, unlike, snapshots)
                    ),
                    snapshots,
                )
                if ours != theirs
            ]
        except Disordered:  # the parts of one do not fit the target, though the chunk does
            if len(unlike) > 1:
                for one in unlike:
                    yield from self._drill(shape, [one], snapshots)
                return
            fetched = [(0, chunk) for chunk, _ in unlike]
        done, found = 0, set[Key]()
        for (number, _), ours, theirs in self._both(
            (
                ((number, part), partial(rows.in_chunk, shape, chunk=part))
                for number, part in sorted(fetched, key=lambda place: place[0])
            ),
            snapshots,
        ):
            while done < number:
                yield found
                done, found = done + 1, set()
            found |= _differing(ours, theirs)
        while done < len(unlike):
            yield found
            done, found = done + 1, set()

    def _parts(
        self, shape: Shape, unlike: Sequence[tuple[Chunk, int]], snapshots: dict[Side, str] | None
    ) -> Iterator[tuple[int, list[Chunk]]]:
        """Yield the parts of each chunk that is too large to be fetched, with the chunk's number."""
        source, snapshot = self._servers["source"], (snapshots or {}).get("source")
        coming = [
            (number, source.submit(chunks.split(shape, chunk, _FETCHED, size // _FETCHED), snapshot))
            for number, (chunk, size) in enumerate(unlike)
            if size > _FETCHED
        ]
        for number, parts in coming:
            yield number, parts.result()

    def _unlike(
        self, question: Callable[[Side], Ask[Mapping[Key, Any]]], snapshots: dict[Side, str] | None
    ) -> set[Key]:
        [(_, ours, theirs)] = self._both([(Chunk(), question)], snapshots)
        return _differing(ours, theirs)

    def _scan_buckets(self, work: Work, snapshots: dict[Side, str] | None) -> None:
        if snapshots is None:
            with self._servers["source"].snapshot() as source, self._servers["target"].snapshot() as target:
                self._scan_buckets(work, {"source": source, "target": target})
            return
        shape, result = work.shape, work.result
        sums: dict[Side, multiset.Sums] = {}
        parts = {side: server.run(multiset.ranges(shape), snapshots[side]) for side, server in self._servers.items()}
        asked = {
            side: [server.submit(multiset.sums(shape, part), snapshots[side]) for part in parts[side]]
            for side, server in self._servers.items()
        }
        for side in SIDES:
            sums[side] = multiset.add(future.result() for future in asked[side])
        result.rows_source, result.rows_target = (sum(each.rows for each in sums[side].values()) for side in SIDES)
        result.chunks = len(parts["source"])
        unlike = sorted(
            bucket
            for bucket in sums["source"].keys() | sums["target"].keys()
            if sums["source"].get(bucket) != sums["target"].get(bucket)
        )
        for some in _batches(unlike, lambda bucket: max(_rows(sums[side], bucket) for side in SIDES)):
            question = multiset.drill(shape, some)
            names = self._unlike(lambda _, question=question: question, snapshots)  # type: ignore[misc]
            work.suspects = sorted({*work.suspects, *(name[1:] if shape.key else name for name in names)})
            if len(work.suspects) > self._most:
                self.settle(work)
            if self._enough(work):
                return
        work.read = True
        self._tell(work)

    def _both(
        self, questions: Iterable[tuple[Where, Callable[[Side], Ask[Found]]]], snapshots: dict[Side, str] | None
    ) -> Iterator[tuple[Where, Found, Found]]:
        """Ask both servers at the same time, some questions ahead, and give the answers in order."""
        asked: deque[tuple[Where, list[Future[Found]]]] = deque()
        for where, question in questions:
            futures = [self._servers[side].submit(question(side), (snapshots or {}).get(side)) for side in SIDES]
            asked.append((where, futures))
            if len(asked) > self._ahead:
                yield _results(*asked.popleft())
        while asked:
            yield _results(*asked.popleft())

    def _answers(
        self,
        questions: Iterable[tuple[Sequence[Where], Callable[[Side], Ask[Sequence[Found]]]]],
        snapshots: dict[Side, str] | None,
    ) -> Iterator[tuple[Where, Found, Found]]:
        """As `_both`, where a question is about several things: give each with its answers."""
        for some, ours, theirs in self._both(questions, snapshots):
            yield from zip(some, ours, theirs, strict=True)

    def _suspect(self, work: Work, keys: set[Key]) -> None:
        work.suspects += keys.difference(work.suspects)
        if len(work.suspects) > self._most:
            self.settle(work)

    def _enough(self, work: Work) -> bool:
        if work.result.differences < self._options.limit:
            return False
        work.result.note = f"stopped after {work.result.differences} rows that differ"
        return True

    def _tell(self, work: Work) -> None:
        if self._watch is not None:
            result = work.result
            self._watch(Progress(result.table, result.rows_source, work.shape.rows, len(work.suspects), work.read))


def _results(where: Where, futures: Sequence[Future[Found]]) -> tuple[Where, Found, Found]:
    source, target = (future.result() for future in futures)
    return where, source, target


def _sides(different: Mapping[Key, Pair], leader: Side) -> dict[Key, tuple[Version | None, Version | None]]:
    if leader == "source":
        return {key: (pair.leader, pair.follower) for key, pair in different.items()}
    return {key: (pair.follower, pair.leader) for key, pair in different.items()}


def _differing(ours: Mapping[Key, Any], theirs: Mapping[Key, Any]) -> set[Key]:
    return {key for key in ours.keys() | theirs.keys() if _content(ours.get(key)) != _content(theirs.get(key))}


def _content(found: Version | bytes | int | None) -> bytes | int | None:
    return found.content if isinstance(found, Version) else found


def _rows(sums: multiset.Sums, bucket: int) -> int:
    return sums[bucket].rows if bucket in sums else 0


def _grouped(some: Iterable[Found], size: int) -> Iterator[list[Found]]:
    rest = iter(some)
    while group := list(islice(rest, size)):
        yield group


def _batches(buckets: Iterable[int], size: Callable[[int], int]) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for bucket in buckets:
        total += size(bucket)
        if batch and total > _DRILLED:
            yield batch
            batch, total = [], size(bucket)
        batch.append(bucket)
    if batch:
        yield batch
