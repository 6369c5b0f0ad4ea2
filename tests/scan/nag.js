// Prints, as JSON, what cdk-nag's packs find in the templates named on the command line, deaf to any suppression.
const { App, DefaultStackSynthesizer, Stack } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const { AwsSolutionsChecks, NIST80053R5Checks, PCIDSS321Checks } = require("cdk-nag");

const findings = [];
for (const file of process.argv.slice(2)) {
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
  const stack = new Stack(new App({ analyticsReporting: false }), "Scanned", { synthesizer });
  new CfnInclude(stack, "Template", { templateFile: file });
  for (const Pack of [AwsSolutionsChecks, NIST80053R5Checks, PCIDSS321Checks]) {
    for (const violation of new Pack(undefined, { verbose: true }).validateScope(stack).violations) {
      for (const { constructPath } of violation.violatingResources) {
        findings.push({
          file,
          resource: constructPath.split("/").at(-1),
          rule: violation.ruleName,
          text: violation.description,
        });
      }
    }
  }
}
process.stdout.write(JSON.stringify(findings));
