"""Diagnostics for other programs: annotations of a GitHub workflow, and SARIF for code scanning."""
