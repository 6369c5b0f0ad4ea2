"""The gates: what must hold before the traffic moves to AWS, and for as long as it is watched there."""
