"""Face detectors: one small protocol, and a table from names to makers."""
