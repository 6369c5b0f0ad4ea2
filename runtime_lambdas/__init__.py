"""What runs inside AWS: a folder for each function, and `runtime`, which they share through their layer."""
