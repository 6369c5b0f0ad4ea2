import json
import ssl
import zipfile
from io import BytesIO

import pytest

from compiler.assets import authority_regions, collect
from schemas.load import load
from tests.strategies import SPECS


def subjects(pem: str) -> list[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    return [dict(pair for part in one["subject"] for pair in part)["commonName"] for one in context.get_ca_certs()]


@pytest.mark.parametrize("region", sorted(authority_regions()))
def test_each_region_has_its_own_authority(region: str) -> None:
    migration = load(SPECS / "minimal.yaml").migration.model_copy(update={"region": region})
    assert subjects(collect(migration, SPECS).target_authority) == [f"Amazon RDS {region} Root CA RSA2048 G1"]


def test_functions_find_the_authorities_of_both_databases() -> None:
    assets = collect(load(SPECS / "payments.yaml").migration, SPECS)
    with zipfile.ZipFile(BytesIO(assets.bundles["certificates"].data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert files["certificates/source.pem"] == (SPECS / "onprem-ca.pem").read_text()
    assert sorted(subjects(files["certificates/target.pem"])) == [
        "Amazon RDS us-east-2 Root CA RSA2048 G1",
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
    ]


def test_the_validation_is_told_of_every_table_and_invariant_in_a_file() -> None:
    migration = load(SPECS / "payments.yaml").migration
    with zipfile.ZipFile(BytesIO(collect(migration, SPECS).bundles["validation"].data)) as archive:
        told = json.loads(archive.read("settings.json"))
        assert "validation/handler.py" in archive.namelist()
    assert told["tables"] == {"include": ["public.%"], "exclude": list(migration.replication.tables.exclude)}
    assert told["invariants"] == [vars(one) for one in migration.validation.invariants] != []
