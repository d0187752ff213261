"""turnparse beside the plain loop and what pip gives today; run it as `python -m benchmarks`."""
