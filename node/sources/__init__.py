"""Sources: other systems of this platform that are read again and again, by a process of its own beside the node.

declared   what an administrator writes: one file each in the folder `sources` of the home
books      the node, as this process speaks with it
database/  tables of other systems, through SQLAlchemy
folder     a folder that files are put into
running    when which source is read
"""
