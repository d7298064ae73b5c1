"""From grades to numbers, and from numbers to pages; how far each can be trusted."""
