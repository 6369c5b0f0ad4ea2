"""What a deploy would change, resource by resource, before any change set."""
