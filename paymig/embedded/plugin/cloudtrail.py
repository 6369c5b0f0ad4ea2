"""CloudTrail: the trail as a resource type."""

from __future__ import annotations

from paymig.embedded.plugin import host
from paymig.embedded.plugin.resources import Place, Properties, Provisioned, ResourceType
from paymig.embedded.plugin.services import call, call_with


class Trail(ResourceType):
    """Its `Ref` is its name."""

    type_name = "AWS::CloudTrail::Trail"
    tagged = True
    immutable = frozenset({"TrailName"})

    def create(self, place: Place, props: Properties) -> Provisioned:
        """Create the trail and start it, where the template says so."""
        name = props.get("TrailName") or place.name()
        call_with("cloudtrail", "CreateTrail", self._api(props), Name=name)
        return self._configured(name, props)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Change the trail."""
        call_with("cloudtrail", "UpdateTrail", self._api(new), Name=physical_id)
        return self._configured(physical_id, new)

    def delete(self, physical_id: str, props: Properties) -> None:
        """Delete the trail; what it wrote stays."""
        call("cloudtrail", "DeleteTrail", Name=physical_id)

    @staticmethod
    def _api(props: Properties) -> Properties:
        renamed = {name: value for name, value in props.items() if name not in ("KMSKeyId", "Tags")}
        return {**renamed, "KmsKeyId": props["KMSKeyId"]} if "KMSKeyId" in props else renamed

    @staticmethod
    def _configured(name: str, props: Properties) -> Provisioned:
        selectors = {key: props[key] for key in ("EventSelectors", "AdvancedEventSelectors") if props.get(key)}
        if selectors:
            call("cloudtrail", "PutEventSelectors", TrailName=name, **selectors)
        logging = str(props["IsLogging"]).lower() == "true"
        call("cloudtrail", "StartLogging" if logging else "StopLogging", Name=name)
        return name, {"Arn": host.arn("cloudtrail", f"trail/{name}")}


TYPES: tuple[ResourceType, ...] = (Trail(),)
