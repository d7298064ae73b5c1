"""What recipes are made of: one step or one concern of several steps a file."""
