"""Ask a question about a video from Python, look at the evidence, and keep the run.

python recipes/ask.py film.mp4 "When does the red car stop?"
"""

import sys

from longtake import ask
from longtake.clock import span_label

video, question = sys.argv[1:3]
trace = ask(video, question, save="longtake-runs/recipe")

if trace.answer is None:
    print(f"{trace.stop_reason}: {trace.error}")
else:
    print(trace.answer.text)
    for evidence in trace.evidence:
        print(span_label(evidence.span), evidence.source, evidence.quote)
print(f"{trace.usage.num_frames} frames, {len(trace.turns)} turns, {trace.timings.total_seconds:.1f} s")
