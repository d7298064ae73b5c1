"""Measuring agents on benchmarks: reads data, runs questions, grades answers, says how far to trust the numbers."""
