"""Making training data from long videos: steps over records, two recipes, exports, a report."""
