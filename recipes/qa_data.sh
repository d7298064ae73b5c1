#!/usr/bin/env bash
# LongVT's data from your own videos: questions with their moments, and recorded runs of the agent that answer them.
#
#   MODEL=openai:gpt-5-mini bash recipes/qa_data.sh films run
set -euo pipefail
videos=$1 run=$2
model=${MODEL:-reader}

longtake data run --recipe longvt --videos "$videos" --out "$run" --model "$model" --max-cost "${MAX_COST:-20}" \
    --set samples_per_question="${SAMPLES:-1}"
longtake data verify "$run"
longtake data report "$run"
longtake data export "$run" --form longvt --out "$run/export/traces.jsonl" --max-per-question 4
longtake data export "$run" --form verl --out "$run/export/rl.jsonl"
