#!/usr/bin/env bash
# LongVideo-Reason's data from your own videos, from a folder of films to files for SFT and GRPO. Give it again after
# any interruption: it goes on where it was. Start the models first; `longtake data serve-help` prints how.
#
#   bash recipes/reason_data.sh films run
set -euo pipefail
videos=$1 run=$2
eyes=${EYES:-openai:Qwen/Qwen3-VL-8B-Instruct} eyes_url=${EYES_URL:-http://localhost:8001/v1}
brain=${BRAIN:-openai:deepseek-ai/DeepSeek-R1} brain_url=${BRAIN_URL:-http://localhost:8002/v1}

longtake data run --recipe longvideo-reason --videos "$videos" --out "$run" --in-flight 256 \
    --caption-model "$eyes" --caption-base-url "$eyes_url" \
    --reason-model "$brain" --reason-base-url "$brain_url" \
    --blind-model "$brain" --blind-base-url "$brain_url" \
    --set reformat=true
longtake data verify "$run"
longtake data report "$run"

# what the question gives away, what was asked before and what needs no video is left out
keep=(--filter "leak<=0.5" --filter "duplicate<=0.8" --filter "blind<=0.4")
longtake data export "$run" --form chat --out "$run/export/sft.jsonl" "${keep[@]}" --balance
longtake data export "$run" --form grpo --out "$run/export/grpo.jsonl" "${keep[@]}" --balance
