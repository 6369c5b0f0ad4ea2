"""A whole cutover on one machine."""
