"""The ten components, one nested stack and one file each."""
