"""cfn-lint in a process of its own: the rules are loaded once, then forked workers share out the templates.

The process reads jobs as JSON from its input and writes what is found, by job, to its output.
"""

import gc
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.match import Match
from cfnlint.runner import Runner
from cfnlint.runner.template import run_template_by_file_path

# The local file names that let it compare parent and children are not the template's own.
OPTIONS = ("--ignore-checks", "W3002")
_COLLECT_AFTER = 100_000  # new objects; Python's own 700 costs a sixth of the time

Finding = dict[str, Any]


def main() -> None:
    """Lint; a job is a pair of a file and its region."""
    jobs: list[tuple[str, str]] = [(file, region) for file, region in json.load(sys.stdin)]
    gc.set_threshold(_COLLECT_AFTER)
    _runner(jobs[0][1])
    gc.freeze()
    workers = min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        json.dump(list(pool.map(_lint, jobs)), sys.stdout)


@cache
def _runner(region: str) -> Runner:
    return Runner(ConfigMixIn(["--regions", region, *OPTIONS]))


def _lint(job: tuple[str, str]) -> list[Finding]:
    file, region = job
    runner = _runner(region)
    # By file and never by text: a template read from text is not compared with its parent.
    return [_finding(match) for match in run_template_by_file_path(file, runner.config, runner.rules, False)]


def _finding(match: Match) -> Finding:
    return {
        "rule": match.rule.id,
        "about": match.rule.shortdesc,
        "source": match.rule.source_url,
        "severity": match.rule.severity,
        "message": match.message,
        "path": [str(part) for part in getattr(match, "path", None) or ()],
    }
