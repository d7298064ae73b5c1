"""LongVideo-Reason's six scripts as commands on the engine."""
