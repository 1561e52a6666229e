"""Algorithm 1: how the generator is trained (torch)."""
