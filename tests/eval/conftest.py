"""Judges made for tests of scoring, and clusters of those of data generation, are at hand here too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("scoring", "datagen")]
