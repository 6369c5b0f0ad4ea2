"""Step Functions: a distributed map whose results go to S3, that ends with its first failure, and can be stopped.

The server runs every item to its end, whatever became of the others, and forgets `ResultWriter`.
"""

from __future__ import annotations

import contextvars
import copy
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.services import call

_LOOK = 0.05  # seconds between two looks at whether the execution was stopped
_COUNTS = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten")
_UNKNOWN = ("ItemBatcher", "MaxConcurrencyPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath")


def install() -> None:
    """Take the place of the server's distributed map."""
    machines = host.module("services.stepfunctions")

    def run(
        state: dict[str, Any], raw: Any, effective: Any, processor: dict[str, Any], execution: Any, context: Any
    ) -> Any:
        for field in _UNKNOWN:
            if field in state:
                raise machines._ExecutionError("States.Runtime", f"the embedded AWS knows no {field}")
        outcome = _MapRun(state, effective, processor, execution, context).run()
        if execution["status"] != "RUNNING":
            return raw, None  # it was stopped
        outcome = machines._apply_result_selector(state, outcome)
        outcome = machines._apply_result_path(state, raw, outcome)
        return machines._apply_output_path(state, outcome, context), machines._next_or_end(state)

    machines._run_distributed_map = run


class _Aborted(Exception):
    """The child was stopped: its next state is not entered."""


class _MapRun:
    def __init__(
        self, state: dict[str, Any], effective: Any, processor: dict[str, Any], execution: Any, context: Any
    ) -> None:
        self._machines = host.module("services.stepfunctions")
        self._state, self._effective, self._processor = state, effective, processor
        self._execution, self._context = execution, context
        self._lock = threading.Lock()
        self._items = self._read()
        _, _, _, region, account, _, name = execution["stateMachineArn"].split(":")
        label = state.get("Label") or str(uuid.uuid4())
        self._machine = f"arn:aws:states:{region}:{account}:stateMachine:{name}/{label}"
        self._children = f"arn:aws:states:{region}:{account}:execution:{name}/{label}"
        none = dict.fromkeys((*_COUNTS, "failuresNotRedrivable", "pendingRedrive"), 0)
        counts = {**none, "total": len(self._items), "pending": len(self._items)}
        self._record: dict[str, Any] = {
            "mapRunArn": f"arn:aws:states:{region}:{account}:mapRun:{name}/{label}:{uuid.uuid4()}",
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": self._now(),
            "maxConcurrency": int(state.get("MaxConcurrency") or 0),
            "toleratedFailurePercentage": float(state.get("ToleratedFailurePercentage") or 0),
            "toleratedFailureCount": int(state.get("ToleratedFailureCount") or 0),
            "itemCounts": counts,
            "executionCounts": dict(counts),
            "redriveCount": 0,
            "_stateMachineArn": self._machine,
        }
        self._outputs: list[Any] = [None] * len(self._items)
        self._runs: list[dict[str, Any]] = []

    def run(self) -> Any:
        """Run every item; return the results, or where they are."""
        record, execution = self._record, self._execution
        self._machines._map_runs[record["mapRunArn"]] = record
        self._event("MapRunStarted", {"mapRunStartedEventDetails": {"mapRunArn": record["mapRunArn"]}})
        workers = record["maxConcurrency"] or min(len(self._items), 64) or 1
        with ThreadPoolExecutor(workers) as pool:
            open_ones = {
                pool.submit(contextvars.copy_context().run, self._child, index, item)
                for index, item in enumerate(self._items)
            }
            while open_ones:
                _, open_ones = wait(open_ones, timeout=_LOOK)
                if execution["status"] != "RUNNING" or self._exceeded:
                    self._abort()
        stopped = execution["status"] != "RUNNING"
        record["status"] = "ABORTED" if stopped else "FAILED" if self._exceeded else "SUCCEEDED"
        record["stopDate"] = self._now()
        written = self._write() if "ResultWriter" in self._state else None
        self._event(f"MapRun{record['status'].capitalize()}", {})
        if not stopped and self._exceeded:
            raise self._machines._ExecutionError(
                "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
            )
        return written or self._outputs

    @property
    def _exceeded(self) -> bool:
        record = self._record
        failed = record["itemCounts"]["failed"]
        limits = [
            failed > limit
            for field, limit in (
                ("ToleratedFailureCount", record["toleratedFailureCount"]),
                ("ToleratedFailurePercentage", record["toleratedFailurePercentage"] * len(self._items) / 100),
            )
            if field in self._state
        ]
        return bool(failed) and (any(limits) if limits else True)

    def _read(self) -> list[Any]:
        if reader := self._state.get("ItemReader"):
            items = self._machines._read_map_items(reader, self._effective, self._context)
        else:
            path = self._state.get("ItemsPath", "$")
            items = self._machines._resolve_path_or_ctx(path, self._effective, self._context)
        return items if isinstance(items, list) else [items]

    def _child(self, index: int, item: Any) -> None:
        context = {**copy.deepcopy(self._context), "Map": {"Item": {"Index": index, "Value": item}}}
        selector = self._state.get("ItemSelector")
        given = self._machines._resolve_params_obj(selector, self._effective, context) if selector else item
        name = str(uuid.uuid4())
        child: dict[str, Any] = {
            "executionArn": f"{self._children}:{name}",
            "stateMachineArn": self._machine,
            "name": name,
            "status": "RUNNING",
            "startDate": self._now(),
            "stopDate": None,
            "input": json.dumps(given),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "mapRunArn": self._record["mapRunArn"],
            "events": [],
            "testCase": self._execution.get("testCase"),
            "mockAttempts": {},
        }
        with self._lock:
            self._runs.append(child)
            if self._execution["status"] != "RUNNING" or self._exceeded:
                child.update(status="PENDING", startDate=None)
                return
            self._machines._executions[child["executionArn"]] = child
            self._count("pending", "running")
        context["Execution"] = {"Id": child["executionArn"], "Input": given, "Name": name, "StartTime": self._now()}
        states = _States(self._processor["States"], child)
        ended: dict[str, Any]
        try:
            output = self._machines._run_sub_machine(states, self._processor["StartAt"], given, child, context)
            self._outputs[index] = output
            ended = {"status": "SUCCEEDED", "output": json.dumps(output)}
        except _Aborted:
            return
        except self._machines._ExecutionError as error:
            ended = {"status": "FAILED", "error": error.error, "cause": error.cause}
        except Exception as error:
            ended = {"status": "FAILED", "error": "States.Runtime", "cause": str(error)}
        with self._lock:
            if child["status"] == "RUNNING":
                child.update(ended, stopDate=self._now())
                self._count("running", ended["status"].lower())

    def _abort(self) -> None:
        with self._lock:
            for child in self._runs:
                if child["status"] == "RUNNING":
                    child.update(status="ABORTED", stopDate=self._now())
                    self._count("running", "aborted")

    def _count(self, before: str, after: str) -> None:
        for counts in (self._record["itemCounts"], self._record["executionCounts"]):
            counts[before] -= 1
            counts[after] += 1

    def _write(self) -> dict[str, Any]:
        """Write the children by how they ended, and a manifest that names the files; return where it is."""
        told = self._machines._resolve_params_obj(
            self._state["ResultWriter"]["Parameters"], self._effective, self._context
        )
        bucket, prefix = told["Bucket"], told.get("Prefix", "").rstrip("/")
        folder = "/".join(part for part in (prefix, self._record["mapRunArn"].rpartition(":")[2]) if part)
        files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
        for status, found in files.items():
            children = [_exported(child) for child in self._runs if child["status"] == status]
            if children:
                key, body = f"{folder}/{status}_0.json", json.dumps(children).encode()
                call("s3", "PutObject", Bucket=bucket, Key=key, Body=body)
                found.append({"Key": key, "Size": len(body)})
                for counts in (self._record["itemCounts"], self._record["executionCounts"]):
                    counts["resultsWritten"] += len(children)
        manifest = {"DestinationBucket": bucket, "MapRunArn": self._record["mapRunArn"], "ResultFiles": files}
        key = f"{folder}/manifest.json"
        call("s3", "PutObject", Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())
        return {
            "MapRunArn": self._record["mapRunArn"],
            "ResultWriterDetails": {"Bucket": bucket, "Key": key},
        }

    def _event(self, kind: str, details: dict[str, Any]) -> None:
        self._machines._add_event(self._execution, kind, details)

    @staticmethod
    def _now() -> str:
        return str(host.module("core.responses").now_iso())


class _States(dict[str, Any]):
    """The states of a child, none of which is entered once it was stopped."""

    def __init__(self, states: dict[str, Any], child: dict[str, Any]) -> None:
        super().__init__(states)
        self._child = child

    def get(self, name: str, default: Any = None) -> Any:
        if self._child["status"] != "RUNNING":
            raise _Aborted
        return super().get(name, default)


def _exported(child: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "ExecutionArn": "executionArn",
        "Input": "input",
        "Name": "name",
        "Output": "output",
        "Error": "error",
        "Cause": "cause",
        "StartDate": "startDate",
        "StateMachineArn": "stateMachineArn",
        "Status": "status",
        "StopDate": "stopDate",
    }
    made = {name: child[key] for name, key in fields.items() if child.get(key) is not None}
    return {**made, "InputDetails": {"Included": True}, "OutputDetails": {"Included": True}, "RedriveCount": 0}
