"""Networks (torch): the generators and the detectors that train."""
