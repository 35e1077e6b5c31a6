"""Pictures of the documentation that are made of results."""
