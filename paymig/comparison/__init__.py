"""The comparison of both databases in an operator's hands."""
