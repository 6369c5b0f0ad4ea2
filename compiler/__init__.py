"""From a spec to CloudFormation templates and Lambda bundles."""
