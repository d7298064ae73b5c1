"""How good what a recipe made is, in numbers and on a page."""
