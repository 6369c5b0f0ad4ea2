"""Comparing two databases: ours against a bare hash of every row, reladiff, and fetching every row.

The same data on two servers of different versions, in one run: without a difference, with 20, and with one row whose
key is far away. "bare" is `sum(hashtextextended(t::text, 0))` on both servers at once, which finds a difference and
says nothing about it; ratios are medians of pairs, each program right after a bare scan. Each program runs in a process
of its own, whose peak memory is told.

    python benchmarks/compare.py [--rows 200000] [--rounds 3] [--with reladiff,fetch] [--sha256]
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from contextlib import closing
from pathlib import Path

import psycopg2

from paymig.embedded.postgres import VOLATILE, Postgres, PostgresError
from runtime_lambdas.runtime.comparison import Options, Patterns, compare

SETTINGS = {**VOLATILE, "shared_buffers": "1GB", "max_wal_size": "16GB", "autovacuum": "off"}
COLUMNS = [
    "id bigint PRIMARY KEY",
    "merchant text NOT NULL",
    "amount numeric(14, 2) NOT NULL",
    "currency varchar(3) NOT NULL",
    "status text NOT NULL",
    "created_at timestamptz NOT NULL",
    "updated_at timestamp NOT NULL",
    "reference uuid NOT NULL",
    "payload jsonb NOT NULL",
    "flag boolean NOT NULL",
    "score float8 NOT NULL",
    "note text NOT NULL",
    "number integer NOT NULL",
]
FILL = """
INSERT INTO payments (id, merchant, amount, currency, status, created_at, updated_at, reference, payload, flag, score,
                      note, number)
SELECT i, 'merchant ' || i % 1000, (i % 100000) / 100.0, 'EUR', 'captured',
       '2026-01-01Z'::timestamptz + i * interval '1 s', '2026-01-01'::timestamp + i * interval '1 s',
       md5(i::text)::uuid, jsonb_build_object('order', i, 'channel', 'web'), i % 2 = 0, i / 3.0::float8,
       repeat('x', (i % 50)::int), i % 1000
FROM generate_series(1, {rows}) i
"""
CASES = {
    "no difference": ([], []),
    "20 differences": (
        ["UPDATE payments SET amount = amount + 0.01 WHERE id % ({rows} / 20) = 7"],
        ["UPDATE payments SET amount = amount - 0.01 WHERE id % ({rows} / 20) = 7"],
    ),
    "one far key": (
        ["INSERT INTO payments SELECT 1000000000000000, {rest} FROM payments WHERE id = 1"],
        ["DELETE FROM payments WHERE id = 1000000000000000"],
    ),
}
REST = ", ".join(column.split()[0] for column in COLUMNS[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--with", dest="others", default="", metavar="reladiff,fetch")
    parser.add_argument("--sha256", action="store_true")
    parser.add_argument("--run", nargs=3, metavar=("PROGRAM", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run_here(*chosen.run)
        return
    programs = ["sha256" if chosen.sha256 else "ours", *filter(None, chosen.others.split(","))]
    with older() as source, Postgres.start(18, SETTINGS) as target, tempfile.TemporaryDirectory() as folder:
        fill(source, target, chosen.rows)
        tool = install(Path(folder)) if "reladiff" in programs else None
        print(f"{chosen.rows} rows, PostgreSQL {source.version} and {target.version}, {chosen.rounds} rounds")
        print(f"{'':<16}{'':<10}{'seconds':>9}{'bare':>8}{'ratio':>8}{'MiB':>6}   found")
        for case, (change, undo) in CASES.items():
            execute(target, change, chosen.rows)
            for program in programs:
                measure(case, program, source.dsn(), target.dsn(), chosen.rounds, tool)
            execute(target, undo, chosen.rows)


def older() -> Postgres:
    """Start the oldest version there is: 15 where the machine has it, else 16."""
    try:
        return Postgres.start(15, SETTINGS)
    except PostgresError:
        return Postgres.start(16, SETTINGS)


def fill(source: Postgres, target: Postgres, rows: int) -> None:
    def one(server: Postgres, columns: list[str]) -> None:
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE payments ({', '.join(columns)})")
            cursor.execute(FILL.format(rows=rows))
            cursor.execute("VACUUM ANALYZE payments")

    both(lambda: one(source, COLUMNS), lambda: one(target, COLUMNS[::-1]))


def execute(server: Postgres, statements: list[str], rows: int) -> None:
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(rows=rows, rest=REST).replace("SELECT 1000", f"(id, {REST}) SELECT 1000"))
        cursor.execute("VACUUM ANALYZE payments")


def both(*works) -> float:  # noqa: ANN002 - functions without arguments
    """Run works at the same time; give the seconds that all took."""
    threads = [threading.Thread(target=work) for work in works]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def bare(source: str, target: str) -> float:
    def scan(dsn: str) -> None:
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SET jit = off; SET max_parallel_workers_per_gather = 0")
            cursor.execute("SELECT sum(hashtextextended(t::text, 0)) FROM payments t")

    return both(lambda: scan(source), lambda: scan(target))


def measure(case: str, program: str, source: str, target: str, rounds: int, tool: Path | None) -> None:
    """Print one line: medians over the rounds."""
    rounds = 1 if program == "fetch" else rounds
    pairs, found, peak = [], "", 0
    for _ in range(rounds):
        base = bare(source, target)
        if program == "reladiff" and tool is not None:
            seconds, found, peak = reladiff(tool, source, target)
        else:
            command = [sys.executable, __file__, "--run", program, source, target]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seconds, found, peak = told["seconds"], told["found"], max(peak, told["peak"])
        pairs.append((seconds, base))
    ratio = statistics.median(seconds / base for seconds, base in pairs)
    middle = [statistics.median(column) for column in zip(*pairs, strict=True)]
    print(f"{case:<16}{program:<10}{middle[0]:>9.2f}{middle[1]:>8.2f}{ratio:>8.2f}{peak:>6}   {found}", flush=True)


def run_here(program: str, source: str, target: str) -> None:
    """Be one program, and print what was measured."""
    started = time.perf_counter()
    found = fetch(source, target) if program == "fetch" else ours(source, target, program)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "found": found, "peak": peak}))


def ours(source: str, target: str, program: str) -> str:
    options = Options(hash="sha256" if program == "sha256" else "md5", pause=0.1)
    report = compare(
        lambda: psycopg2.connect(source), lambda: psycopg2.connect(target), Patterns(["public.payments"]), options
    )
    [table] = report.tables
    return f"{table.verdict}, {table.differences} rows differ"


def fetch(source: str, target: str) -> str:
    """Compare row by row in Python, both sides in the order of the key."""
    columns = ", ".join(f"{column.split()[0]}::text" for column in COLUMNS)
    differences = 0
    with closing(psycopg2.connect(source)) as here, closing(psycopg2.connect(target)) as there:
        cursors = [connection.cursor("rows") for connection in (here, there)]
        for cursor in cursors:
            cursor.itersize = 5000
            cursor.execute(f"SELECT {columns} FROM payments ORDER BY payments.id")
        ends: list[dict] = [{}, {}]
        for ours, theirs in zip(*cursors, strict=False):
            if ours != theirs:
                ends[0][ours[0]], ends[1][theirs[0]] = ours, theirs
        differences = sum(ends[0].get(key) != ends[1].get(key) for key in ends[0].keys() | ends[1].keys())
        differences += sum(1 for cursor in cursors for _ in cursor)
    return f"{differences} rows differ"


def install(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "reladiff[postgresql]"], check=True)
    return folder / "bin" / "reladiff"


def reladiff(tool: Path, source: str, target: str) -> tuple[float, str, int]:
    """Run it with the settings that were the fastest here; the peak is of all its processes so far."""
    urls = []
    for dsn in (source, target):
        told = psycopg2.extensions.parse_dsn(dsn)
        urls.append(f"postgresql://{told['user']}:{told['password']}@{told['host']}:{told['port']}/{told['dbname']}")
    columns = [option for column in COLUMNS[1:] for option in ("-c", column.split()[0])]
    command = [tool, urls[0], "payments", urls[1], "payments", "-k", "id", *columns, "--stats"]
    command += ["--bisection-factor", "32", "--bisection-threshold", "50000", "--threads", "4"]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    counted = re.findall(r"(\d+) rows (?:exclusive|updated)[^\n]*", done.stdout)
    said = f"{sum(map(int, counted))} rows differ" if counted else (done.stdout + done.stderr).strip()[-60:]
    return seconds, said.replace("\n", " "), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


if __name__ == "__main__":
    main()
