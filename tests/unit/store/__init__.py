"""Tests of node/store."""
