"""AWS's wire formats, from botocore's own models: the client's side to call, the server's side to answer."""

from __future__ import annotations

import functools
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode
from xml.sax.saxutils import escape

import botocore.parsers
import botocore.serialize
import botocore.session
from botocore.awsrequest import HeadersDict

if TYPE_CHECKING:
    from collections.abc import Iterable

Response = tuple[int, dict[str, str], bytes]

_EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class AwsError(Exception):
    """An error as an AWS service reports it: a code that programs test and a sentence for people."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@functools.cache
def service_model(service: str) -> Any:
    """The botocore model of a service, by its boto3 name."""
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def _codec(service: str) -> tuple[Any, Any]:
    protocol = service_model(service).resolved_protocol
    return botocore.serialize.create_serializer(protocol), botocore.parsers.create_parser(protocol)


def request(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, str, dict[str, str], bytes, Any]:
    """Serialise a call: method, path, headers, body and query parameters, as a server sees them."""
    model = service_model(service).operation_model(operation)
    typed = coerce(model.input_shape, parameters, operation) if model.input_shape else {}
    raw = _codec(service)[0].serialize_to_request(typed, model)
    body = raw["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    path, _, path_query = raw["url_path"].partition("?")
    query = parse_qs(path_query, keep_blank_values=True)
    query.update(parse_qs(urlencode(raw["query_string"], doseq=True), keep_blank_values=True))
    headers = {name.lower(): value for name, value in raw["headers"].items()}
    return raw["method"], path, headers, body.encode() if isinstance(body, str) else body, query


def result(service: str, operation: str, response: Response) -> dict[str, Any]:
    """Parse a service's response; an error response is raised as AwsError."""
    status, headers, body = response
    model = service_model(service).operation_model(operation)
    parsed = _codec(service)[1].parse(
        {
            "status_code": status,
            "headers": HeadersDict(headers),
            "body": body.encode() if isinstance(body, str) else body,
        },
        model.output_shape,
    )
    if status >= 300:
        error = parsed.get("Error", {})
        raise AwsError(error.get("Code", "InternalFailure"), error.get("Message", ""), status)
    parsed.pop("ResponseMetadata", None)
    return dict(parsed)


def coerce(shape: Any, value: Any, where: str) -> Any:
    """Give a template's value the type the service expects, as CloudFormation does.

    "5" becomes 5 and "true" becomes True where the shape asks for it.

    Raises:
        AwsError: When a member is not in the shape; `where` tells the path to it.
    """
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        if unknown:
            raise AwsError("ValidationException", f"{where}: unknown {', '.join(sorted(unknown))}")
        return {name: coerce(shape.members[name], item, f"{where}.{name}") for name, item in value.items()}
    if shape.type_name == "list":
        return [coerce(shape.member, item, where) for item in value]
    if shape.type_name == "map":
        return {str(name): coerce(shape.value, item, f"{where}.{name}") for name, item in value.items()}
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "boolean":
        return str(value).lower() == "true"
    if shape.type_name == "string":
        if isinstance(value, (dict, list)):
            return json.dumps(value)
        return ("true" if value else "false") if isinstance(value, bool) else str(value)
    return value


def pick(service: str, operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Those of a resource's properties that `operation` takes under the same name."""
    members = service_model(service).operation_model(operation).input_shape.members
    return {name: value for name, value in properties.items() if name in members}


def operation(
    service: str,
    names: Iterable[str],
    method: str,
    path: str,
    headers: dict[str, str],
    form: dict[str, list[str]],
) -> tuple[str, dict[str, str]]:
    """Which operation a request asks for, and what its path says; of a REST service only `names` are known."""
    model = service_model(service)
    if not model.resolved_protocol.startswith("rest-"):
        return headers.get("x-amz-target", "").rpartition(".")[2] or form.get("Action", [""])[0], {}
    for name in names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"].partition("?")[0]))
        match = re.fullmatch(pattern.rstrip("/") + "/?", path)
        if match and http["method"] == method:
            return name, {key: unquote(value) for key, value in match.groupdict().items()}
    return "", {}


def parameters(service: str, operation: str, body: bytes, form: dict[str, list[str]]) -> dict[str, Any]:
    """Read a request's parameters on the server's side, for the JSON and EC2 protocols."""
    model = service_model(service)
    if model.resolved_protocol.endswith("json"):
        return dict(json.loads(body or b"{}"))
    flat = {name: values[0] for name, values in form.items()}
    return dict(_from_form(model.operation_model(operation).input_shape, flat, "") or {})


def response(service: str, operation: str, content: dict[str, Any]) -> Response:
    """Write a result on the server's side, for the JSON and EC2 protocols."""
    model = service_model(service)
    if model.resolved_protocol.endswith("json"):
        version = model.metadata.get("jsonVersion", "1.1")
        return (
            200,
            {"Content-Type": f"application/x-amz-json-{version}"},
            json.dumps(content, default=_timestamp).encode(),
        )
    shape = model.operation_model(operation).output_shape
    inner = _to_xml(shape, content) if shape else "<return>true</return>"
    text = f'<{operation}Response xmlns="{_EC2_NAMESPACE}">{inner}</{operation}Response>'
    return 200, {"Content-Type": "text/xml"}, text.encode()


def error(service: str, problem: AwsError) -> Response:
    """Write an error on the server's side, for the JSON and EC2 protocols."""
    model = service_model(service)
    if model.resolved_protocol.endswith("json"):
        version = model.metadata.get("jsonVersion", "1.1")
        content = {"__type": problem.code, "message": problem.message}
        return (
            problem.status,
            {"Content-Type": f"application/x-amz-json-{version}", "x-amzn-ErrorType": problem.code},
            json.dumps(content).encode(),
        )
    text = (
        f"<Response><Errors><Error><Code>{problem.code}</Code><Message>{escape(problem.message)}</Message>"
        "</Error></Errors></Response>"
    )
    return problem.status, {"Content-Type": "text/xml"}, text.encode()


def _from_form(shape: Any, flat: dict[str, str], prefix: str) -> Any:
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            key = member.serialization.get("queryName") or member.serialization.get("name", name)
            value = _from_form(member, flat, f"{prefix}{key[0].upper()}{key[1:]}")
            if value is not None:
                found[name] = value
        return found if found or not prefix else None
    if shape.type_name == "list":
        indexed = re.compile(re.escape(prefix) + r"\.(\d+)(?:\.|$)")
        indexes = sorted({int(match[1]) for key in flat if (match := indexed.match(key))})
        suffix = "." if shape.member.type_name == "structure" else ""
        return [_from_form(shape.member, flat, f"{prefix}.{index}{suffix}") for index in indexes] or None
    value = flat.get(prefix)
    return None if value is None else coerce(shape, value, prefix)


def _to_xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{tag}>{_to_xml(member, value[name])}</{tag}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
            for tag in [member.serialization.get("name", name)]
        )
    if shape.type_name == "list":
        tag = shape.member.serialization.get("name", "item")
        return "".join(f"<{tag}>{_to_xml(shape.member, item)}</{tag}>" for item in value)
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return escape(str(value))


def _timestamp(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no JSON form")
