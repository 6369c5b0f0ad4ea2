"""Moving the writer from an operator's machine: what would be done, what is done, and what is seen of it."""
