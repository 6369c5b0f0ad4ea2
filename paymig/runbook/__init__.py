"""The migration runbook, written from the spec."""
