"""Where work runs: in this process, or in worker processes on a Ray cluster. The same arguments, the same result.

Knows nothing of what the work is. Workers keep their results themselves (in journals), so nothing is lost with a
worker that dies: its items are given to others, and what it had done is found there.
"""

from .base import Compute, Local, OnProgress, Progress, Worker
from .ray import Ray

__all__ = ["Compute", "Local", "OnProgress", "Progress", "Ray", "Worker"]
