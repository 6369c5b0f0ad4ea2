"""Keeping one database equal to the other: the engines, the heartbeat, and what they say of themselves."""
