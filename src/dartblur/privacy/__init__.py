"""Whether a hidden face is hidden: attacks that measure how often people are still recognized."""
