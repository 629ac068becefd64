"""Tables of other systems, read through SQLAlchemy.

position   how far a table was read, as the node's store keeps it; pure
dialling   the connection: driver, password, session, and what its errors become
table      the statements
cells      what a driver gives -> what a mapping reads
reading    from the newest watermark on, page by page
comparing  which rows are gone
"""
