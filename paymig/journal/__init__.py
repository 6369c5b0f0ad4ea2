"""The journal as an operator meets it: found, shown, and freed of a lease."""
