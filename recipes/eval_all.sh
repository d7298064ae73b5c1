#!/usr/bin/env bash
# An agent on a benchmark beside what it must beat: nothing seen, always the same answer, evenly spread frames, and the
# right place shown. One page at the end.
#
#   MODEL=openai:Qwen/Qwen3-VL-8B-Instruct BASE_URL=http://localhost:8000/v1 bash recipes/eval_all.sh lvbench LVBench/ videos/ out
set -euo pipefail
benchmark=$1 data=$2 videos=$3 out=$4
model=${MODEL:-reader}
common=(--data "$data" --videos "$videos" --max-cost "${MAX_COST:-50}" ${LIMIT:+--limit "$LIMIT"})
asked=(--model "$model" ${BASE_URL:+--base-url "$BASE_URL"} ${JUDGE:+--judge "$JUDGE"})

longtake eval check "$benchmark" --data "$data" --videos "$videos" || echo "problems are listed above; going on"
for agent in blind uniform crop oracle-crop; do  # exit code 1: something has no verdict for now, and is said
    longtake eval run "$benchmark" "${common[@]}" "${asked[@]}" --agent "$agent" --out "$out/$agent" || [ $? = 1 ]
done
longtake eval run "$benchmark" "${common[@]}" --agent constant --out "$out/constant" || [ $? = 1 ]
longtake eval report "$out"/{blind,constant,uniform,crop,oracle-crop} --out "$out/all"
longtake eval compare "$out/uniform" "$out/crop"
