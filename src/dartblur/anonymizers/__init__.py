"""Ways to hide faces: one small protocol, and a table from names to makers."""
