"""Runs in the scanners' environment: policies as a JSON list on stdin, parliament's findings by index on stdout."""

import json
import sys

import parliament

answer = []
for index, document in enumerate(json.load(sys.stdin)):
    for found in parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True).findings:
        explained = parliament.enhance_finding(found)
        answer.append([index, explained.issue, f"{explained.title}: {explained.detail}"])
sys.stdout.write(json.dumps(answer))
