"""CloudWatch Logs: a group without a name gets one from CloudFormation, and not one of ministack's."""

from __future__ import annotations

from typing import Any

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Place, Properties, Provisioned

_LONGEST = 512
_NAME = "LogGroupName"


def install() -> None:
    """Name the groups before ministack's own handlers see them."""
    handlers = host.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]
    create, update = handlers["create"], handlers["update"]

    def named_create(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
        made: Provisioned = create(logical_id, _named(stack_name, logical_id, props), stack_name)
        return made

    def named_update(
        physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str
    ) -> Provisioned:
        props = _named(stack_name, logical_id, new) if _NAME in old else {_NAME: physical_id, **new}
        made: Provisioned = update(physical_id, old, props, stack_name, logical_id)
        return made

    handlers.update(create=named_create, update=named_update)


def _named(stack_name: str, logical_id: str, props: Properties) -> dict[str, Any]:
    return {_NAME: Place(stack_name, logical_id).name(_LONGEST), **props}
