"""Runs in the scanners' environment: policies as a JSON list on stdin, parliament's findings by index on stdout."""

import json
import sys

import parliament


def words(found):
    """Parliament's sentence about a finding; it has none for those of its community's auditors."""
    try:
        explained = parliament.enhance_finding(found)
    except Exception:  # it is the only kind that it raises
        return json.dumps(found.detail or found.location, default=str)
    return f"{explained.title}: {explained.detail}"


answer = [
    [index, found.issue, words(found)]
    for index, document in enumerate(json.load(sys.stdin))
    for found in parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True).findings
]
sys.stdout.write(json.dumps(answer))
