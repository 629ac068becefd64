"""Measurements anyone can run: our three tiers beside PostgreSQL's, on the same machine, in the same minutes."""
