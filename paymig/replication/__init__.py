"""`paymig replicate`: the engine of a spec, driven from this machine."""
