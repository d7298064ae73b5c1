"""Measuring agents on benchmarks: reads data, runs questions, grades answers, and says how far numbers can be trusted."""
