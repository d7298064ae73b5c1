"""Benchmarks: what their files hold, as questions with their gold apart, and where their videos are."""
