"""Pages that open anywhere: one HTML file with its style, its script and its data in it."""
