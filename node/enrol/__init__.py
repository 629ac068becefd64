"""How a node comes into a federation: invites at the parent, joining at the child, a home that survives a crash."""
