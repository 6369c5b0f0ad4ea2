"""The largest spec, forty functions, deployed to the embedded AWS."""

from compiler.compile import compile_spec
from compiler.plan.change import Action
from paymig import plan
from paymig.aws import stack
from paymig.console import Console
from paymig.deploy import Deployer
from paymig.rehearsal.stage import open_stage
from schemas.load import parse
from tests.compiler.test_limits import FORTY, with_routes
from tests.strategies import SPECS


def test_forty_functions_deploy_and_one_more_touches_none_of_them():
    spec = parse(with_routes(*FORTY[1:]), "migration.yaml", SPECS)
    with open_stage(spec.migration) as stage:
        done = Deployer(stage.aws, spec, compile_spec(spec), Console()).run(yes=True)
        assert done.outcome == "created"
        assert len(stack.nested(stage.aws, done.stack)) == 10 + 39
        for name in (FORTY[1], FORTY[39]):
            answer = stage.embedded.alb_request("GET", done.outputs["LoadBalancerDnsName"], f"/{name}/x", port=443)
            assert b"There is POST /payments" in answer.read()
        more = compile_spec(parse(with_routes(*FORTY), "migration.yaml", SPECS))
        changes = plan.against_deployed(stage.aws, more).changes
        assert {(change.place.partition("/")[0], change.action) for change in changes} == {("ApiServiceA0", Action.ADD)}
