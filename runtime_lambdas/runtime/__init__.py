"""What the functions share: the database, who the writer is, AWS clients, and one JSON line for each event."""
