"""The way back while the source is still the writer: all traffic to the old API."""
