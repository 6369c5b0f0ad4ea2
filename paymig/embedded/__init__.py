"""An AWS on the loopback interface, for rehearsals, tests and laptops."""
