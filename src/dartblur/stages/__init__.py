"""The engine of long work: stages that are kept under the hash of their causes, and run once."""
