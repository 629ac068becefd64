"""Evidence of a task: one file that holds its moves with all that proves them, and its check by whoever holds the root.

file     the container: what stands in the file, in which order, within which bounds
gather   writing one, from the store of a node
check    checking one, away from any node: pure
words    what was found, in words
"""
