"""The clients of a rehearsal: open loop, in a process of their own, so that measuring disturbs nothing."""
