"""Comparing two databases: ours against a bare hash of every row, reladiff, and fetching every row.

The same data on two servers of different versions, in one run: without a difference, with 20, and with one difference
where both sides have a row whose key is far from all others. "bare" is `sum(hashtextextended(t::text, 0))` on both
servers at once, which finds a difference and says nothing about it. In each round all programs run one after the other,
each in a process of its own, whose peak memory is told; ratios are medians over the rounds. What takes more than a
minute runs once, and every row is fetched only where none differs. Nobody writes, so no program waits for replication;
ours looks at a row that differs again all the same.

10,000,000 rows and 3 rounds with reladiff and fetch take a quarter of an hour on two idle cores.

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
from runtime_lambdas.runtime.comparison.lag import stopped

SETTINGS = {**VOLATILE, "shared_buffers": "1GB", "max_wal_size": "16GB", "autovacuum": "off"}
LONG = 60.0  # seconds; what takes longer runs once
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
REST = ", ".join(column.split()[0] for column in COLUMNS[1:])
FAR = "INSERT INTO payments (id, {rest}) SELECT 1000000000000000, {rest} FROM payments WHERE id = 1"
NEAR = "DELETE FROM payments WHERE id = 1000000000000000"
OTHER = "UPDATE payments SET number = -1 - number WHERE id = {rows} / 3"  # done twice, it is undone
CASES: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    # What is done to the source and to the target, and how it is undone on each.
    "no difference": ([], [], [], []),
    "20 differences": (
        [],
        ["UPDATE payments SET amount = amount + 0.01 WHERE id % ({rows} / 20) = 7"],
        [],
        ["UPDATE payments SET amount = amount - 0.01 WHERE id % ({rows} / 20) = 7"],
    ),
    "one far key": ([FAR], [FAR, OTHER], [NEAR], [NEAR, OTHER]),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--with", dest="others", default="", metavar="reladiff,fetch")
    parser.add_argument("--sha256", action="store_true")
    parser.add_argument("--run", nargs="+", metavar="PROGRAM SOURCE TARGET", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run_here(*chosen.run)
        return
    programs = ["sha256" if chosen.sha256 else "ours", *filter(None, chosen.others.split(","))]
    with older() as source, Postgres.start(18, SETTINGS) as target, tempfile.TemporaryDirectory() as folder:
        fill(source, target, chosen.rows)
        tool = install(Path(folder)) if "reladiff" in programs else None
        print(f"{chosen.rows} rows, PostgreSQL {source.version} and {target.version}, {chosen.rounds} rounds")
        print(f"{'':<16}{'':<10}{'seconds':>9}{'/ bare':>8}{'/ ours':>8}{'MiB':>6}   found")
        for case, (change_source, change_target, undo_source, undo_target) in CASES.items():
            execute(source, change_source, chosen.rows)
            execute(target, change_target, chosen.rows)
            commands = {
                program: [program, source.dsn(), target.dsn(), *reladiff_options(program, tool, case, chosen.rows)]
                for program in programs
                if program != "fetch" or not change_target
            }
            measure(case, commands, source.dsn(), target.dsn(), chosen.rounds)
            execute(source, undo_source, chosen.rows)
            execute(target, undo_target, chosen.rows)


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
            cursor.execute(statement.format(rows=rows, rest=REST))
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


def measure(case: str, commands: dict[str, list[str]], source: str, target: str, rounds: int) -> None:
    """Print a line for each program: medians over the rounds."""
    bares: list[float] = []
    runs: dict[str, list[dict]] = {program: [] for program in commands}
    for _ in range(rounds):
        bares.append(bare(source, target))
        for program, command in commands.items():
            if not runs[program] or runs[program][0]["seconds"] < LONG:
                run = [sys.executable, __file__, "--run", *command]
                told = subprocess.run(run, check=True, capture_output=True, text=True).stdout
                runs[program].append(json.loads(told))
    seconds = {program: [each["seconds"] for each in told] for program, told in runs.items()}
    ours, *_ = seconds.values()
    print(f"{case:<16}{'bare':<10}{statistics.median(bares):>9.2f}")
    for program, taken in seconds.items():
        ratios = [
            statistics.median(mine / other for mine, other in zip(taken, others, strict=False))
            for others in (bares, ours)
        ]
        peak, found = max(each["peak"] for each in runs[program]), runs[program][-1]["found"]
        middle = statistics.median(taken)
        print(f"{'':<16}{program:<10}{middle:>9.2f}{ratios[0]:>8.2f}{ratios[1]:>8.2f}{peak:>6}   {found}", flush=True)


def run_here(program: str, source: str, target: str, *options: str) -> None:
    """Be one program, and print what was measured."""
    started = time.perf_counter()
    if program == "reladiff":
        found = reladiff(source, target, *options)
    else:
        found = fetch(source, target) if program == "fetch" else ours(source, target, program)
    seconds = time.perf_counter() - started
    who = resource.RUSAGE_CHILDREN if program == "reladiff" else resource.RUSAGE_SELF
    print(json.dumps({"seconds": seconds, "found": found, "peak": resource.getrusage(who).ru_maxrss // 1024}))


def ours(source: str, target: str, program: str) -> str:
    report = compare(
        lambda: psycopg2.connect(source),
        lambda: psycopg2.connect(target),
        Patterns(["public.payments"]),
        Options(hash="sha256" if program == "sha256" else "md5"),
        wait=stopped,
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


def reladiff_options(program: str, tool: Path | None, case: str, rows: int) -> list[str]:
    """Return where it is and into how many parts it cuts a range: the number that was the fastest for each case here.

    It cuts ranges by the width of the key. Few parts are the best where nothing differs. Where something does, parts of
    10,000 rows are small enough to be fetched at once, which saves a second reading.
    """
    if program != "reladiff":
        return []
    return [str(tool), str(32 if case == "no difference" else max(32, rows // 10_000))]


def reladiff(source: str, target: str, tool: str, parts: str) -> str:
    urls = []
    for dsn in (source, target):
        told = psycopg2.extensions.parse_dsn(dsn)
        urls.append(f"postgresql://{told['user']}:{told['password']}@{told['host']}:{told['port']}/{told['dbname']}")
    columns = [option for column in COLUMNS[1:] for option in ("-c", column.split()[0])]
    command = [tool, urls[0], "payments", urls[1], "payments", "-k", "id", *columns, "--stats"]
    command += ["--bisection-factor", parts, "--bisection-threshold", "50000", "--threads", "4"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    counted = re.findall(r"(\d+) rows (?:exclusive|updated)[^\n]*", done.stdout)
    said = f"{sum(map(int, counted))} rows differ" if counted else (done.stdout + done.stderr).strip()[-60:]
    return said.replace("\n", " ")


if __name__ == "__main__":
    main()
