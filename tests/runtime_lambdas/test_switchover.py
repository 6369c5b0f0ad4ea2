import pytest

from runtime_lambdas.runtime.replication import heartbeat
from runtime_lambdas.switchover.handler import UnknownAction, handler


def status():
    return handler({"action": "status"}, None)


def test_status_tells_of_both_databases(source, target, control):
    control("target", 2)
    found = status()
    assert (found["migration"], found["writer"], found["epoch"]) == ("payments-test", "target", 2)
    assert found["source"] == {
        "configured": True,
        "reachable": True,
        "version": source.server.version,
        "in_recovery": False,
        "heartbeat": None,
    }
    assert found["target"]["version"].startswith("18.")


def test_status_tells_of_the_last_beat(source):
    source.run(heartbeat.DEFINITION)
    source.run(f"GRANT USAGE ON SCHEMA paymig TO {source.role}; GRANT SELECT ON paymig.heartbeat TO {source.role}")
    assert status()["source"]["heartbeat"] is None
    source.run("INSERT INTO paymig.heartbeat VALUES ('source', 41, now() - interval '5 seconds')")
    beat = status()["source"]["heartbeat"]
    assert beat["beat"] == 41
    assert 5 <= beat["age"] < 60


def test_status_tells_of_a_database_that_is_down_or_not_there_yet(source, environment):
    environment.delenv("TARGET_HOST", raising=False)
    environment.setenv("SOURCE_PORT", "1")
    found = status()
    assert found["target"] == {"configured": False, "reachable": False, "error": "this side does not exist yet"}
    assert found["source"]["reachable"] is False
    assert "Connection refused" in found["source"]["error"]


@pytest.mark.parametrize("event", [{}, {"action": "fence"}, {"action": None}, {"action": ["status"]}])
def test_an_unknown_action_is_refused(environment, event):
    with pytest.raises(UnknownAction, match=r"there is no action .* knows advance, facts, finalize, measure, status"):
        handler(event, None)
