"""Folders of any size: found, hidden in parallel, and never done twice."""
