"""The least rights that a migration takes: of its operator, of a reviewer, and of CloudFormation."""
