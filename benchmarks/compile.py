"""`paymig compile` side by side in one run: cold against a plain troposphere script, unchanged against starting Python.

The plain script is made here from the compiled templates: every resource and property spelled out with troposphere's
classes and functions as a person would type them, and the same bytes written; no YAML, no validation of a spec, no
wiring, no source map, no Lambda bundles. It is the least that a compiler on troposphere can cost; `python -c pass` is
the least that a second compile of the same spec can cost. Each round runs all as whole processes, in turn; the figures
are medians, the ratio is the median of the rounds' ratios. Modules have their byte code, as pip leaves them, also where
PYTHONDONTWRITEBYTECODE is set.

    python benchmarks/compile.py [--rounds 15]
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from types import FunctionType

from troposphere import AWSProperty, Tags

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "payments.yaml"

INTRINSICS = {"Ref": "Ref", **{f"Fn::{name}": name for name in ("GetAtt", "GetAZs", "Join", "Select", "Split", "Sub")}}

HEAD = """import json
from pathlib import Path
from troposphere import {modules}
from troposphere import GetAZs, GetAtt, Join, Output, Parameter, Ref, Select, Split, Sub, Tags, Template

def write(name, description, parameters, outputs, resources):
    template = Template(Description=description)
    for parameter in parameters:
        template.add_parameter(parameter)
    for output in outputs:
        template.add_output(output)
    for resource in resources:
        template.add_resource(resource)
    Path({folder!r}, name + ".json").write_text(json.dumps(template.to_dict(), indent=1, sort_keys=True) + "\\n")

"""


def class_of(type_name: str) -> type:
    """`AWS::EC2::VPC` is `troposphere.ec2.VPC`."""
    service = type_name.split("::")[1]
    module = import_module(f"troposphere.{'awslambda' if service == 'Lambda' else service.lower()}")
    classes = [found for found in vars(module).values() if isinstance(found, type)]
    return next(found for found in classes if getattr(found, "resource_type", None) == type_name)


def source(value: object, expected: object = None) -> str:
    """Write a property's value as a person would: troposphere's classes, functions and literals."""
    if isinstance(value, dict):
        if len(value) == 1 and (key := next(iter(value))) in INTRINSICS:
            inner = value[key]
            arguments = inner if isinstance(inner, list) else [inner]
            if key == "Fn::GetAtt" and isinstance(inner, str):
                arguments = inner.split(".", 1)
            return f"{INTRINSICS[key]}({', '.join(source(argument) for argument in arguments)})"
        if isinstance(expected, type) and issubclass(expected, AWSProperty):
            return call(expected, value)
        return "{" + ", ".join(f"{key!r}: {source(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        if expected is Tags:
            tags = ", ".join(f"{tag['Key']!r}: {source(tag['Value'])}" for tag in value)
            return f"Tags({{{tags}}})"
        kind = expected[0] if isinstance(expected, list) and expected else None
        return "[" + ", ".join(source(inner, kind) for inner in value) + "]"
    return repr(value)


def call(kind: type, properties: dict[str, object], title: str | None = None) -> str:
    """Write the call of a troposphere class."""
    module = kind.__module__.rpartition(".")[2]
    own = [repr(title)] if title else []
    written = {key: source(value, expected_of(kind, key)) for key, value in properties.items()}
    named = [f"**{{{key!r}: {text}}}" if iskeyword(key) else f"{key}={text}" for key, text in written.items()]
    return f"{module}.{kind.__name__}({', '.join(own + named)})"


def expected_of(kind: type, key: str) -> object:
    """Tell which class a property takes: where troposphere has a checking function, the one named like it."""
    expected = kind.props.get(key, (None,))[0]  # type: ignore[attr-defined]
    if isinstance(expected, FunctionType):
        return getattr(import_module(kind.__module__), key, None)
    return expected


def plain_script(templates: Path, folder: Path) -> str:
    """Write the plain script: one call for each template, its resources spelled out."""
    modules: set[str] = set()
    body: list[str] = []
    for path in sorted(templates.glob("*.json")):
        content = json.loads(path.read_text())
        resources = []
        for title, found in sorted(content["Resources"].items()):
            kind = class_of(found["Type"])
            modules.add(kind.__module__.rpartition(".")[2])
            attributes = {key: value for key, value in found.items() if key not in ("Type", "Properties")}
            resources.append(f"    {call(kind, found.get('Properties', {}) | attributes, title)},")
        parts = [
            [f"Parameter({title!r}, **{found!r})" for title, found in content.get("Parameters", {}).items()],
            [f"Output({title!r}, Value={source(o['Value'])})" for title, o in content.get("Outputs", {}).items()],
        ]
        lists = ", ".join(f"[{', '.join(part)}]" for part in parts)
        body.append(f"write({path.stem!r}, {content['Description']!r}, {lists}, [")
        body += [*resources, "])"]
    return HEAD.format(modules=", ".join(sorted(modules)), folder=str(folder)) + "\n".join(body) + "\n"


ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**ENVIRONMENT, "PYTHONHASHSEED": "0"})
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script, out = folder / "plain.py", folder / "out"
        (folder / "plain").mkdir()
        paymig = [sys.executable, "-m", "paymig", "compile", str(SPEC), "-o"]
        cold, cached = [*paymig, str(out)], [*paymig, str(folder / "cached")]
        for command in (cold, cached):
            subprocess.run(command, check=True, capture_output=True)
        script.write_text(plain_script(out / "templates", folder / "plain"))
        rows = []
        for _ in range(rounds + 1):
            shutil.rmtree(out)
            commands = (cold, [sys.executable, str(script)], cached, [sys.executable, "-c", "pass"])
            rows.append([timed(command) for command in commands])
        rows = rows[1:]  # the first round warms the file cache
        count = sum(len(json.loads(p.read_text())["Resources"]) for p in (folder / "plain").glob("*.json"))
    print(f"{count} resources, {rounds} rounds, whole processes, medians; ratios round by round")
    print(f"{'':<32}{'wall ms':>9}{'cpu ms':>9}")
    labels = ("paymig compile, cold", "plain troposphere script", "paymig compile, unchanged", "python -c pass")
    for ours in (0, 2):
        for index in (ours, ours + 1):
            wall, cpu = (statistics.median(row[index][i] for row in rows) * 1000 for i in (0, 1))
            print(f"{labels[index]:<32}{wall:>9.0f}{cpu:>9.0f}")
        ratios = [statistics.median(row[ours][i] / row[ours + 1][i] for row in rows) for i in (0, 1)]
        print(f"{'  ratio':<32}{ratios[0]:>9.2f}{ratios[1]:>9.2f}")


if __name__ == "__main__":
    main()
