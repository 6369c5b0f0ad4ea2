"""The report of a rehearsal: one HTML page, JSON and a picture for a chat."""
