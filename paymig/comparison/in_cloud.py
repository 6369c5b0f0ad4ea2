"""A full comparison by the state machine in AWS: started from here, watched from here, and not dependent on here."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from paymig.aws import machines
from paymig.aws.session import code_of
from paymig.comparison import show
from paymig.errors import PaymigError, Refused
from runtime_lambdas.runtime.comparison import Progress, Report

if TYPE_CHECKING:
    from pathlib import Path

    from paymig.comparison.run import Wishes
    from paymig.operation import Operation

_MACHINE, _BUCKET = "ComparisonStateMachineArn", "ComparisonBucket"
_EVERY = 1.0  # seconds between two looks
_STOP = "aws stepfunctions stop-execution --execution-arn {} stops it; what it compared is kept"


def compare(at: Operation, wishes: Wishes, file: Path | None) -> Report:
    """Have the tables compared, watch it, show the report, and write it to a file where one is named.

    An execution that somebody started already for the same is watched; what one that failed or was stopped has
    compared is not compared again.

    Raises:
        Refused: the machine is not deployed, is at another comparison, or the options are for this machine only.
        PaymigError: it failed: says why.
    """
    for value, usual, option in (
        (wishes.show_values, False, "--show-values: values do not leave the databases there"),
        (wishes.snapshot, False, "--snapshot: the parts are read by many sessions"),
        (wishes.resume, None, "--resume: what is done is kept in S3, and gone on with"),
        (wishes.connections, 2, "--connections: four parts at a time take two to each server"),
    ):
        if value != usual:
            raise Refused(f"--in-cloud goes without {option}")
    found = machines.outputs(at.aws, at.migration.full_name, _MACHINE, _BUCKET)
    execution = _start(at, found[_MACHINE], wishes)
    try:
        _follow(at, execution)
    except KeyboardInterrupt:
        at.console.say("Stopped watching; the comparison goes on in AWS. The same command watches it again.")
        raise
    report = Report.from_json(_read(at, found[_BUCKET], _key(at, execution)))
    if file is not None:
        file.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    at.console.result(report.to_json(), show.render(report))
    return report


def _start(at: Operation, machine: str, wishes: Wishes) -> str:
    client = at.aws.client("stepfunctions")
    wish = {"tables": wishes.tables, "max_load": round(wishes.max_load * 100, 6), "hash": wishes.hash}
    told = json.dumps(wish)
    running = client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    if running:
        execution: str = running[0]["executionArn"]
        if _object(client.describe_execution(executionArn=execution)["input"]) != _object(told):
            raise Refused(f"another comparison is running: {execution}", _STOP.format(execution))
    else:
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
        try:
            execution = client.start_execution(stateMachineArn=machine, name=name, input=told)["executionArn"]
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise
            execution = machines.execution_of(machine, name)  # somebody started it within this second
    at.console.say(f"Step Functions is at it: {execution}")
    return execution


def _object(told: str) -> tuple[Any, Any]:
    """Return what an execution's input wants compared, and digested how; how fast does not matter."""
    wish = json.loads(told)
    return wish.get("tables") or [], wish.get("hash") or "md5"


def _follow(at: Operation, execution: str) -> None:
    client = at.aws.client("stepfunctions")
    with show.progress(at.console) as watch:
        running = True
        while running:
            running = client.describe_execution(executionArn=execution)["status"] == "RUNNING"
            for each in client.list_map_runs(executionArn=execution)["mapRuns"]:
                counts = client.describe_map_run(mapRunArn=each["mapRunArn"])["itemCounts"]
                done, total = counts["succeeded"], counts["total"]
                watch(Progress("parts", done, total, 0, done == total))
            if running:
                time.sleep(_EVERY)


def _key(at: Operation, execution: str) -> str:
    """Return where the report is.

    Raises:
        PaymigError: there is none.
    """
    client = at.aws.client("stepfunctions")
    found = client.describe_execution(executionArn=execution)
    if found["status"] == "SUCCEEDED":
        return str(json.loads(found["output"])["report"])
    if found.get("error") == "Mismatch":  # raised after the report was written
        return f"reports/{found['name']}.json"
    if found["status"] == "ABORTED":
        raise PaymigError(f"{execution} was stopped", "the same command goes on with the parts that are left")
    raise PaymigError(
        "; ".join([machines.why(found), *_failed_parts(at, execution)]),
        f"mend that; the same command goes on with the parts that are left. The execution is {execution}",
    )


def _failed_parts(at: Operation, execution: str) -> list[str]:
    """Word why the first part failed that did: the execution itself says only that there was one."""
    client = at.aws.client("stepfunctions")
    for run in client.list_map_runs(executionArn=execution)["mapRuns"]:
        failed = client.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED", maxResults=1)["executions"]
        for child in failed:
            found = client.describe_execution(executionArn=child["executionArn"])
            table = json.loads(found["input"])["part"]["table"]
            return [f"a part of {table}: {machines.why(found)}"]
    return []


def _read(at: Operation, bucket: str, key: str) -> dict[str, Any]:
    body = at.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    report: dict[str, Any] = json.loads(body)
    return report
