"""Loading files: declarative mappings, readers, and the pipeline from a file to rows and rejects. Pure but
for reading.
"""
