"""Readers of data sets: one small protocol, and a table from names to makers."""
