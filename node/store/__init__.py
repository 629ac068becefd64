"""What a node keeps on disk: its log, its rows, and what it knows of others (design section 6)."""
