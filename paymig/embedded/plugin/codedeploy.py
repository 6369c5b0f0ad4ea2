"""CodeDeploy, which ministack does not have: applications and deployment groups."""

from __future__ import annotations

import uuid
from typing import Any

from paymig.embedded.plugin import host, wire
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import add_service, call, call_with


class _Service:
    def __init__(self) -> None:
        self._applications = host.store()
        self._groups = host.store()

    def install(self) -> None:
        add_service(
            "codedeploy",
            {
                "CreateApplication": self.create_application,
                "GetApplication": self.get_application,
                "ListApplications": self.list_applications,
                "DeleteApplication": self.delete_application,
                "CreateDeploymentGroup": self.create_group,
                "GetDeploymentGroup": self.get_group,
                "UpdateDeploymentGroup": self.update_group,
                "ListDeploymentGroups": self.list_groups,
                "DeleteDeploymentGroup": self.delete_group,
            },
        )

    def create_application(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["applicationName"]
        if name in self._applications:
            raise wire.AwsError("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        record = {
            "applicationId": str(uuid.uuid4()),
            "applicationName": name,
            "computePlatform": request.get("computePlatform", "Server"),
        }
        self._applications[name] = record
        return {"applicationId": record["applicationId"]}

    def get_application(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"application": self._application(request["applicationName"])}

    def list_applications(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"applications": sorted(self._applications)}

    def delete_application(self, request: dict[str, Any]) -> dict[str, Any]:
        self._applications.pop(request["applicationName"], None)
        return {}

    def create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        application = self._application(request["applicationName"])
        key = (request["applicationName"], request["deploymentGroupName"])
        if key in self._groups:
            raise wire.AwsError("DeploymentGroupAlreadyExistsException", f"Deployment group exists: {key[1]}")
        self._groups[key] = {
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
            **{name: value for name, value in request.items() if name != "tags"},
            "deploymentGroupId": str(uuid.uuid4()),
            "computePlatform": application["computePlatform"],
        }
        return {"deploymentGroupId": self._groups[key]["deploymentGroupId"]}

    def get_group(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group(request["applicationName"], request["deploymentGroupName"])
        return {"deploymentGroupInfo": group}

    def update_group(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group(request["applicationName"], request["currentDeploymentGroupName"])
        group.update({name: value for name, value in request.items() if name != "currentDeploymentGroupName"})
        return {"hooksNotCleanedUp": []}

    def list_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        application = request["applicationName"]
        self._application(application)
        names = sorted(group for owner, group in self._groups if owner == application)
        return {"applicationName": application, "deploymentGroups": names}

    def delete_group(self, request: dict[str, Any]) -> dict[str, Any]:
        self._groups.pop((request["applicationName"], request["deploymentGroupName"]), None)
        return {"hooksNotCleanedUp": []}

    def _application(self, name: str) -> dict[str, Any]:
        if name not in self._applications:
            raise wire.AwsError("ApplicationDoesNotExistException", f"No application found for name: {name}")
        record: dict[str, Any] = self._applications[name]
        return record

    def _group(self, application: str, name: str) -> dict[str, Any]:
        if (application, name) not in self._groups:
            raise wire.AwsError("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")
        record: dict[str, Any] = self._groups[application, name]
        return record


class Application(ResourceType):
    """Its `Ref` is its name."""

    type_name = "AWS::CodeDeploy::Application"
    tagged = True

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the application."""
        name = props.get("ApplicationName") or place.name(100)
        call("codedeploy", "CreateApplication", **_api(props, applicationName=name))
        return name, {}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Nothing but tags changes in place, and the service here keeps none."""
        return physical_id, {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the application."""
        call("codedeploy", "DeleteApplication", applicationName=physical_id)


class DeploymentGroup(ResourceType):
    """Its `Ref` is its name."""

    type_name = "AWS::CodeDeploy::DeploymentGroup"
    tagged = True
    immutable = frozenset({"ApplicationName", "DeploymentGroupName"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the group."""
        name = props.get("DeploymentGroupName") or place.name(100)
        call("codedeploy", "CreateDeploymentGroup", **_api(props, deploymentGroupName=name))
        return name, {}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the group."""
        changed = _api(new, currentDeploymentGroupName=physical_id)
        call_with("codedeploy", "UpdateDeploymentGroup", changed)
        return physical_id, {}

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the group."""
        call(
            "codedeploy",
            "DeleteDeploymentGroup",
            applicationName=props["ApplicationName"],
            deploymentGroupName=physical_id,
        )


def _api(props: Properties, **more: str) -> Properties:
    """Template properties under the API's names, which begin in lower case at every level."""
    lowered: Properties = _lower({name: value for name, value in props.items() if name != "Tags"})
    return {**lowered, **more}


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _lower(item) for name, item in value.items()}
    return [_lower(item) for item in value] if isinstance(value, list) else value


def install() -> None:
    """Add the service."""
    _Service().install()


TYPES: tuple[ResourceType, ...] = (Application(), DeploymentGroup())
