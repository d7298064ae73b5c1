"""`longtake demo`: a sample video with a story, three questions, and the answers beside the truth."""
