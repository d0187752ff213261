"""Every target, read by its consumer's own code: `python -m tests.conformance`."""
