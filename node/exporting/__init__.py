"""Rows of a dataset as a file: read in pages, shaped per format, written whole or not at all."""
