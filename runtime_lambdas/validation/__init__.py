"""The comparison of both databases, while both are in use."""
