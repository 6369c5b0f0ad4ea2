"""What would go wrong, told before anything is started: rules over facts that were read from both databases."""
