"""Moving traffic between the old and the new side."""
