"""How `paymig compile` grows with a spec: environments, functions, tables; and what linting costs, cold and warm.

Each figure is the processor time of a whole process, the median of the rounds; within a round all sizes run in turn.
`each` is what one more costs between two sizes: equal figures down a column are a straight line. Every compile is cold:
its output is removed before. `lint, cold` starts with an empty cache of findings.

    python benchmarks/growth.py [--rounds 5]
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "specs" / "payments.yaml").read_text()
TEXT = TEXT[: TEXT.index("\nenvironments:") + 1]
SIZES = {"environments": (1, 5, 10, 20), "functions": (1, 10, 20, 40), "tables": (10, 100, 400, 1000)}
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def spec(kind: str, count: int) -> str:
    if kind == "environments":
        overlays = "".join(f"  region-{n}: {{database: {{instances: {1 + n % 3}}}}}\n" for n in range(count - 1))
        return TEXT + (f"environments:\n{overlays}" if overlays else "")
    if kind == "functions":
        routes = "".join(
            f"    service-{chr(97 + n % 26)}{n}: {{paths: [/service-{n}], handler: payment_api.handler.handler}}\n"
            for n in range(count - 1)
        )
        return TEXT.replace("\napi:\n", f"\napi:\n  routes:\n{routes}" if routes else "\napi:\n", 1)
    tables = ", ".join(f"public.a_table_of_the_ledger_{n:04}" for n in range(count))
    return re.sub(r"tables: \{.*\}", f"tables: {{include: [{tables}]}}", TEXT, count=1)


def cpu(command: list[str], **environment: str) -> float:
    """Run a command; return its processor seconds, its children's included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, **environment}, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compiles(folder: Path) -> Mapping[tuple[str, int], list[str]]:
    commands = {}
    for kind, sizes in SIZES.items():
        for size in sizes:
            file = folder / f"{kind}-{size}.yaml"
            file.write_text(spec(kind, size))
            out = ["-o", str(folder / "out"), *(["--all-environments"] if kind == "environments" else [])]
            commands[kind, size] = [sys.executable, "-m", "paymig", "compile", str(file), *out]
    return commands


def lints(folder: Path) -> Iterator[tuple[str, float]]:
    """Lint with an empty cache of findings, again, and after a change of one template; the stamp never helps."""
    cache, out = folder / "cache", folder / "linted"
    shutil.rmtree(cache, ignore_errors=True)
    for kind in ("layers", "wheels"):
        (cache / kind).parent.mkdir(parents=True, exist_ok=True)
        (cache / kind).symlink_to(home() / kind)
    file = folder / "lint.yaml"
    command = [sys.executable, "-m", "paymig", "compile", str(file), "-o", str(out)]
    changed = TEXT.replace('engine_version: "16.9"', 'engine_version: "16.8"')
    for name, text, more in (
        ("compile without lint", TEXT, []),
        ("with lint, cold", TEXT, ["--lint"]),
        ("with lint, warm", TEXT, ["--lint"]),
        ("with lint, one template changed", changed, ["--lint"]),
    ):
        file.write_text(text)
        shutil.rmtree(out, ignore_errors=True)
        yield name, cpu([*command, *more], PAYMIG_CACHE_DIR=str(cache))


def home() -> Path:
    from compiler.cache import folder

    return Path(folder())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("onprem-ca.pem", "patches"):
            (folder / file).symlink_to(ROOT / "specs" / file)
        commands = compiles(folder)
        seconds: dict[tuple[str, int], list[float]] = {key: [] for key in commands}
        for _ in range(rounds):
            for key, command in commands.items():
                shutil.rmtree(folder / "out", ignore_errors=True)
                seconds[key].append(cpu(command))
        linted: dict[str, list[float]] = {}
        for _ in range(rounds):
            for label, found in lints(folder):
                linted.setdefault(label, []).append(found)
    print(f"{rounds} rounds, processor ms of whole processes, medians")
    for kind, sizes in SIZES.items():
        print(f"{kind:<32}{'cpu ms':>9}{'each':>9}")
        before = None
        for size in sizes:
            found = statistics.median(seconds[kind, size]) * 1000
            each = f"{(found - before[1]) / (size - before[0]):.2f}" if before else ""
            print(f"{size:>6}{'':<26}{found:>9.0f}{each:>9}")
            before = (size, found)
    for label, times in linted.items():
        print(f"{label:<32}{statistics.median(times) * 1000:>9.0f}")


if __name__ == "__main__":
    main()
