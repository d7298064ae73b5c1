"""Chains of steps with their settings, by name in the registry."""
