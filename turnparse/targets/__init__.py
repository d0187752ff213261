"""One module a target: its `TARGET` is all there is to it. A new target is a new file here, and nothing else."""
