"""The code that travels to AWS: what is bundled for a spec, and under which key it lies in the artefact bucket."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compiler.bundle import Bundle, BundleError, bundle_archive, bundle_files, bundle_folder, runtime_layer
from compiler.driver import DriverError
from compiler.json_text import to_json
from compiler.refusal import Refusal
from compiler.settings import settings
from schemas.migration import Migration

# Public certificates: Amazon RDS <region> Root CA RSA2048 G1, behind `rds-ca-rsa2048-g1`, and Amazon Root CA 1 to 4.
AUTHORITIES = Path(__file__).with_name("authorities.pem")
"""Of Aurora's certificates in every region, and of its connection pools', as PEM with a comment before each."""
_BUILTIN = "builtin:"
_BEGIN = "-----BEGIN CERTIFICATE-----"

API = "api"
"""The name of the payments API's bundle."""

FUNCTIONS = ("rollback", "secret_rotation", "switchover", "validation")
"""The product's own functions; the payments API is the operator's choice."""

_PROXY = "amazon-trust-services"  # a connection pool's certificate is signed by other authorities than Aurora's

CERTIFICATES = "/opt/certificates"
"""Where a function finds `source.pem` and `target.pem`, the authorities of both databases."""


@dataclass(frozen=True)
class Assets:
    """What lies beside the templates.

    Attributes:
        bundles: by name; "runtime" and "certificates" are layers, "api" and the others functions.
        source_authority: PEM text with the authority of the source's certificate, if the spec names one.
        target_authority: PEM text with the authority of Aurora's certificates in the region.
    """

    bundles: Mapping[str, Bundle]
    source_authority: str | None
    target_authority: str

    def key(self, name: str) -> str:
        """The S3 key of a bundle: its content's hash is part of it."""
        return f"assets/{name}.{self.bundles[name].sha256[:32]}.zip"


def collect(migration: Migration, folder: Path) -> Assets:
    """Bundle all code of a spec.

    Args:
        migration: the spec.
        folder: the spec's folder, from which its relative paths are meant.

    Raises:
        Refusal: the operator's code or authority can't be used, or the runtime has no database driver.
    """
    source_authority = _source_authority(migration, folder)
    target_authority = "".join(_authorities(migration.region))
    if not target_authority:
        raise Refusal(
            "PMG302",
            "region",
            f"the authority of Aurora's certificates in {migration.region} is not known",
            f"choose one of {', '.join(sorted(authority_regions()))}",
        )
    certificates = {"target.pem": target_authorities(migration.region)}
    if source_authority is not None:
        certificates["source.pem"] = source_authority
    told = settings(migration)
    try:
        runtime = runtime_layer(migration.api.runtime.removeprefix("python"), migration.api.architecture)
    except DriverError as error:
        raise Refusal("PMG314", "api.runtime", str(error), "run `make install` where there is a network") from error
    return Assets(
        {
            API: _code(folder, migration.api.code, migration.api.handler, "api"),
            **_routes(migration, folder),
            "certificates": bundle_files("certificates", {name: text.encode() for name, text in certificates.items()}),
            "runtime": runtime,
            **{name: _own(name, told.get(name)) for name in FUNCTIONS},
        },
        source_authority,
        target_authority,
    )


def route_asset(migration: Migration, name: str) -> str:
    """The name of the bundle that a route's function runs: the API's own unless the route has other code."""
    code = migration.api.routes[name].code
    return API if code in (None, migration.api.code) else f"api-{name}"


def _routes(migration: Migration, folder: Path) -> Mapping[str, Bundle]:
    return {
        asset: _code(folder, route.code, route.handler, f"api.routes.{name}")
        for name, route in migration.api.routes.items()
        if (asset := route_asset(migration, name)) != API and route.code is not None
    }


def _code(folder: Path, code: str, handler: str, spec_path: str) -> Bundle:
    try:
        if code.startswith(_BUILTIN):
            return _builtin(code.removeprefix(_BUILTIN), handler)
        path = folder / code
        if path.is_dir():
            return bundle_folder(path, "", handler=handler)
        return bundle_archive(path, handler)
    except BundleError as error:
        hint = f"correct `{spec_path}.code` or `{spec_path}.handler`"
        raise Refusal("PMG314", f"{spec_path}.code", str(error), hint) from error


def _builtin(name: str, handler: str) -> Bundle:
    return bundle_folder(_home(name), name, handler=handler)


def _own(name: str, told: Mapping[str, Any] | None) -> Bundle:
    return bundle_folder(_home(name), name, beside={} if told is None else {"settings.json": to_json(told)})


def _home(name: str) -> Path:
    import runtime_lambdas

    return Path(runtime_lambdas.__path__[0]) / name


def _source_authority(migration: Migration, folder: Path) -> str | None:
    name = migration.source.database.tls.ca
    if name is None:
        return None
    path = "source.database.tls.ca"
    try:
        text = (folder / name).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal("PMG213", path, f"{name} cannot be read: {error}", "name a PEM file") from error
    if _BEGIN not in text or "PRIVATE KEY" in text:
        raise Refusal(
            "PMG315",
            path,
            f"{name} is not a PEM file with certificates alone",
            f"write the authority's certificate there, from {_BEGIN} to its end, and no key",
        )
    return text


def authority_regions() -> frozenset[str]:
    """Return the regions whose authority of Aurora's certificates is known."""
    return frozenset(_sections()) - {_PROXY}


def target_authorities(region: str) -> str:
    """The authorities, as PEM text, of Aurora's certificates in a region and of its connection pools'."""
    return "".join(_authorities(region) + _authorities(_PROXY))


def _authorities(section: str) -> tuple[str, ...]:
    return _sections().get(section, ())


@cache
def _sections() -> Mapping[str, tuple[str, ...]]:
    sections: dict[str, tuple[str, ...]] = {}
    for part in AUTHORITIES.read_text(encoding="ascii").split("# ")[1:]:
        name, _, pem = part.partition("\n")
        sections[name] = (*sections.get(name, ()), pem)
    return sections
