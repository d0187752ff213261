"""Coverage-guided fuzzing of what reads texts, tables and files: `python -m tests.fuzz`."""
