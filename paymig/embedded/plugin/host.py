"""The one place that reaches into ministack, whose internals are private and so pinned to one version."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

VERSION = "1.5.33"

_NEEDED = {
    "ministack.app": (
        "SERVICE_HANDLERS",
        "SERVICE_NAME_ALIASES",
        "SERVICE_REGISTRY",
        "_HEALTH_PATHS",
        "_MAIN_LOOP",
        "app",
        "call_service_handler_sync",
    ),
    "ministack.core.responses": (
        "AccountRegionScopedDict",
        "get_account_id",
        "get_region",
        "now_iso",
        "request_scope",
    ),
    "ministack.core.router": ("SERVICE_PATTERNS",),
    "ministack.services.alb": ("dispatch_request",),
    "ministack.services.cloudformation": ("_ACTION_HANDLERS", "_change_sets", "_stack_events", "_stacks"),
    "ministack.services.cloudformation.changesets": ("_find_change_set", "_resolve_props_for_diff"),
    "ministack.services.cloudformation.drift": ("_DRIFT_READERS",),
    "ministack.services.cloudformation.engine": (
        "_evaluate_conditions",
        "_parse_template",
        "_resolve_parameters",
        "_resolve_refs",
        "validate_template_support",
    ),
    "ministack.services.cloudformation.helpers": ("_resolve_template",),
    "ministack.services.cloudformation.provisioners": (
        "_REPLACING_PROPERTIES",
        "_RESOURCE_HANDLERS",
        "_STACK_TAG_PROPERTY",
        "_delete_resource",
        "_physical_name",
        "_provision_resource",
        "_replacing_change",
        "_tag_map",
        "_update_resource",
    ),
    "ministack.services.cloudformation.stacks": (
        "_add_event",
        "_delete_resource",
        "_delete_stack_async",
        "_deploy_stack_async",
        "_diff_resources",
        "_provision_resource",
        "_resolve_stack_outputs",
        "_runs_on_worker_thread",
        "_update_resource",
    ),
    "ministack.services.cloudwatch": ("_alarms", "_dispatch_alarm_actions", "record_metric"),
    "ministack.services.eventbridge": ("_dispatch_event",),
    "ministack.services.ec2": ("_az_id_for_zone_name", "_network_acls", "_subnets"),
    "ministack.core.lambda_runtime": ("ensure_spawned", "release_worker"),
    "ministack.services.iam": ("_roles",),
    "ministack.services.lambda_svc": (
        "_execute_function_warm",
        "_execution_record_for_config",
        "_get_func_record_for_ref_in_scope",
        "acquire_worker",
    ),
    "ministack.services.rds": ("_clusters", "_db_proxies", "_instances"),
    "ministack.services.route53": ("_default_records", "_records", "_zones"),
    "ministack.services.secretsmanager": ("_secrets",),
    "ministack.services.sns": ("_topics",),
    "ministack.services.stepfunctions": (
        "_ExecutionError",
        "_add_event",
        "_apply_output_path",
        "_apply_result_path",
        "_apply_result_selector",
        "_executions",
        "_map_runs",
        "_next_or_end",
        "_read_map_items",
        "_resolve_params_obj",
        "_resolve_path_or_ctx",
        "_run_distributed_map",
        "_run_sub_machine",
    ),
}


class UnsupportedMinistackError(RuntimeError):
    """The installed ministack is not the one this plugin was written against."""


def check() -> None:
    """Refuse any ministack but the pinned one, and one whose registration points have moved.

    Raises:
        UnsupportedMinistackError: With what is missing and how to mend it.
    """
    try:
        installed = metadata.version("ministack")
    except metadata.PackageNotFoundError as cause:
        raise UnsupportedMinistackError(
            f"ministack is not installed; install paymig[local], which brings ministack {VERSION}"
        ) from cause
    if installed != VERSION:
        raise UnsupportedMinistackError(
            f"ministack {installed} is installed and the embedded AWS is written against {VERSION}: "
            f"install ministack=={VERSION}"
        )
    missing = [
        f"{module}.{name}"
        for module, names in _NEEDED.items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]
    if missing:
        raise UnsupportedMinistackError(
            f"this ministack {VERSION} lacks {', '.join(missing)}: it was changed after installation; install it again"
        )


def module(name: str) -> Any:
    """The ministack module called `name`, such as "services.ec2"; Any, since ministack has no types."""
    return importlib.import_module(f"ministack.{name}")


def store() -> Any:
    """A new dictionary kept apart by account and region of the request."""
    return module("core.responses").AccountRegionScopedDict()


def account_id() -> str:
    """The account of the current request."""
    return str(module("core.responses").get_account_id())


def region() -> str:
    """The region of the current request."""
    return str(module("core.responses").get_region())


def arn(service: str, resource: str) -> str:
    """An ARN in the request's account and region; `resource` such as "rep:ABC" or "key/1234"."""
    return f"arn:aws:{service}:{region()}:{account_id()}:{resource}"
