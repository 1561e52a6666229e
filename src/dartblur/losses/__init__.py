"""Losses (torch): detection and review."""
