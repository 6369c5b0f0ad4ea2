"""The migration.yaml: its models, its positions, its diagnostics."""
