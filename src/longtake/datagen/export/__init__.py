"""What a recipe made as training files."""
