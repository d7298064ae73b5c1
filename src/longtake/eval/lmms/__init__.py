"""lmms-eval both ways: longtake's agents as a model there, its tasks as benchmarks here."""
