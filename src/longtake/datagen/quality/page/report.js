const MEASURES = {
  question_words: ["Words in the question and its options", "<="],
  answer_words: ["Words in the answer", "<="],
  reasoning_words: ["Words of reasoning", ">="],
  num_spans: ["Spans the answer rests on", ">="],
  span_seconds: ["Seconds the answer rests on", "<="],
  leak: ["Leak: the question gives the answer away", "<="],
  longest: ["The right option is the longest", "<="],
  duplicate: ["Likeness to an earlier question", "<="],
  blind: ["Blind: right without the video", "<="],
  score: ["Least score of the trace", ">="],
  num_calls: ["Tool calls of the trace", ">="],
  thoughts: ["Share of the trace's turns with a thought", ">="],
};
const SHARES = new Set(["leak", "longest", "duplicate", "blind", "score", "thoughts"]);

// ---- what ran
function header() {
  const status = data.status || {};
  const steps = status.steps || [];
  const sum = (name) => steps.reduce((total, step) => total + (step[name] || 0), 0);
  at("what").textContent = [
    status.recipe ? `Recipe ${status.recipe}` : "",
    status.running ? "still running" : status.complete === false ? "not finished: run it again to go on" : "",
  ].filter(Boolean).join(" · ");
  const unpriced = steps.some((step) => step.cost_usd === null);
  const totals = [
    [data.num_questions, "questions"],
    [data.num_videos, status.videos === undefined ? "videos" : `of ${number(status.videos)} videos have questions`],
  ];
  if (data.num_traces) totals.push([data.num_traces, "traces"]);
  if (steps.length) totals.push([sum("calls"), "model calls"], [sum("input_tokens") + sum("output_tokens"), "tokens"]);
  at("totals").append(...totals.map(([count, what]) => el("li", {}, el("b", {}, number(count)), what)));
  if (steps.length) at("totals").append(el("li", {}, el("b", {}, unpriced ? "unknown" : `$${sum("cost_usd").toFixed(2)}`), "cost"));
}
function steps() {
  const list = (data.status && data.status.steps) || [];
  if (!list.length) return at("steps").append(el("p", { class: "soft" }, "The status of the steps was not given."));
  const heads = ["Step", "Inputs", "Ok", "Rejected", "Invalid", "Failed", "Pending", "Calls", "Cost"];
  const rows = list.map((step) => el("tr", {},
    el("th", { scope: "row" }, step.step),
    ...["inputs", "ok", "rejected", "invalid", "failed", "pending", "calls"].map((name) => el("td", {}, number(step[name] || 0))),
    el("td", {}, step.cost_usd === null || step.cost_usd === undefined ? "unknown" : `$${step.cost_usd.toFixed(4)}`)));
  at("steps").append(el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Steps" }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows))));
  for (const step of list) {
    const reasons = Object.entries(step.reasons || {});
    if (reasons.length) at("steps").append(el("details", {}, el("summary", {}, `Why ${step.step} let go of records`),
      el("ul", { class: "reasons" }, ...reasons.map(([why, count]) => el("li", {}, `${number(count)} × ${why}`)))));
  }
}

// ---- filters
const active = new Map();
function keeps(name, index) {
  const value = data.columns[name][index], limit = active.get(name);
  return value !== null && (MEASURES[name][1] === "<=" ? value <= limit : value >= limit);
}
function count() {
  const names = [...active.keys()];
  let left = 0;
  for (let i = 0; i < data.num_questions; i++) left += names.every((name) => keeps(name, i));
  const share = data.num_questions ? ` (${percent(left / data.num_questions)})` : "";
  at("left").textContent = `${number(left)} of ${plural(data.num_questions, "question")} left${share}`;
  at("flags").textContent = names.map((name) => `--filter '${name}${MEASURES[name][1]}${active.get(name)}'`).join(" ");
  at("flags").hidden = !names.length;
}
function filters() {
  const section = at("filters");
  section.append(el("p", { id: "left", class: "left", role: "status" }), el("p", {}, el("code", { id: "flags" })));
  const grid = el("div", { class: "grid" });
  for (const [name, column] of Object.entries(data.columns)) {
    const known = column.filter((value) => value !== null);
    const low = SHARES.has(name) ? 0 : Math.min(...range(known)), high = SHARES.has(name) ? 1 : Math.max(...range(known));
    if (low === high) continue;
    const [label, bound] = MEASURES[name];
    const step = SHARES.has(name) ? 0.05 : name === "span_seconds" ? (high - low) / 100 : 1;
    const box = el("input", { type: "checkbox", id: `use-${name}` });
    const slider = el("input", { type: "range", min: low, max: high, step, value: bound === "<=" ? high : low });
    slider.setAttribute("aria-label", `${label}: limit`);
    const said = el("p", { class: "soft" });
    const tell = () => {
      const limit = Math.round(slider.valueAsNumber * 1000) / 1000;
      if (box.checked) active.set(name, limit); else active.delete(name);
      let out = 0;
      for (const value of column) out += value === null || (bound === "<=" ? value > limit : value < limit);
      said.textContent = `${bound === "<=" ? "at most" : "at least"} ${number(limit)}: leaves out ${number(out)} by itself`;
      slider.setAttribute("aria-valuetext", said.textContent);
      count();
    };
    box.addEventListener("change", tell);
    slider.addEventListener("input", () => { box.checked = true; tell(); });
    grid.append(el("div", { class: "card filter" }, box, el("label", { htmlFor: box.id }, label), slider, said));
    tell();
  }
  section.append(grid);
  count();
}
function range(values) { // not Math.min(...values): a hundred thousand arguments are too many
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  return [low, high];
}

// ---- distributions
function bars(title, entries, total) {
  const most = Math.max(1, ...entries.map(([, value]) => value));
  const rows = entries.flatMap(([name, value]) => {
    const bar = el("div");
    bar.style.width = `${(100 * value) / most}%`;
    return [el("span", {}, name), bar, el("span", { class: "soft" }, total === 1 ? percent(value) : `${number(value)} (${percent(value / total)})`)];
  });
  return el("figure", { class: "card" }, el("figcaption", {}, title), el("div", { class: "bars" }, ...rows));
}
function columns(title, spread) {
  const most = Math.max(1, ...spread.counts);
  const drawn = spread.counts.map((value, i) => {
    const bar = el("div", { title: `${number(spread.edges[i])} to ${number(spread.edges[i + 1])}: ${number(value)}` });
    bar.style.height = value ? `max(2px, ${(100 * value) / most}%)` : "0";
    return bar;
  });
  const all = spread.counts.reduce((sum, value) => sum + value, 0);
  if (spread.low === spread.high) return el("figure", { class: "card" }, el("figcaption", {}, title), el("p", { class: "soft" }, `${number(spread.low)} for all ${number(all)}`));
  const chart = el("div", { class: "columns", role: "img" }, ...drawn);
  chart.setAttribute("aria-label", spread.counts.map((value, i) => `${number(spread.edges[i])} to ${number(spread.edges[i + 1])}: ${value}`).join("; "));
  return el("figure", { class: "card" }, el("figcaption", {}, title), el("p", { class: "soft" }, `median ${number(spread.median)}, most in a bar ${number(most)}`),
    chart, el("div", { class: "axis soft" }, el("span", {}, number(spread.low)), el("span", {}, number(spread.high))));
}
function spread() {
  const grid = el("div", { class: "grid" });
  const total = data.num_questions;
  grid.append(bars("Types of question", Object.entries(data.question_types), total));
  const letters = Object.entries(data.letters);
  const lettered = letters.reduce((sum, [, value]) => sum + value, 0);
  if (lettered) grid.append(bars("Letter of the right option", letters, lettered));
  if (data.longest_share !== null) grid.append(bars("The right option is the longest", [["is", data.longest_share], ["is not", 1 - data.longest_share]], 1));
  if (data.num_blind_unusable) grid.append(el("p", { class: "soft" }, `${plural(data.num_blind_unusable, "question")} without a usable try without the video`));
  if (data.blind_share !== null) grid.append(bars("Tries without the video", [["right", data.blind_share], ["not right", 1 - data.blind_share]], 1));
  for (const [name, found] of Object.entries(data.measures)) if (found) grid.append(columns(MEASURES[name][0], found));
  at("spread").append(total ? grid : el("p", { class: "soft" }, "There is nothing to count."));
}

// ---- videos
function line(video, spans) {
  const drawn = svg("svg", { class: "line", viewBox: "0 0 1000 20", preserveAspectRatio: "none", role: "img" });
  drawn.setAttribute("aria-label", `rests on ${spans.map(([s, e]) => between(s, e)).join(", ")} of ${clock(video.seconds)}`);
  drawn.append(svg("rect", { class: "all", x: 0, y: 7, width: 1000, height: 6, rx: 3 }));
  for (const [start, end] of spans) {
    const x = (1000 * start) / video.seconds;
    drawn.append(svg("rect", { class: "span", x, y: 2, width: Math.max(4, (1000 * (end - start)) / video.seconds), height: 16, rx: 2 }));
  }
  return drawn;
}
function clip(one) {
  const picture = one.picture ? el("img", { src: one.picture, alt: `Picture in the middle of ${between(one.start, one.end)}`, loading: "lazy", width: 160, height: 90 })
    : el("div", { class: "none" }, "no picture");
  return el("li", {}, picture, el("span", { class: "soft" }, between(one.start, one.end)), el("div", { class: "text", tabIndex: one.caption.length > 200 ? 0 : -1 }, one.caption));
}
function question(video, one, clips, strip) {
  const node = el("article", { class: "question" });
  node.append(el("div", {}, el("span", { class: "tag" }, one.type), el("span", { class: "soft" }, one.id)), el("p", {}, one.question));
  if (one.options.length) {
    node.append(el("ol", { class: "options" }, ...one.options.map((option, i) =>
      el("li", { class: i === one.right ? "right" : "" }, `${String.fromCharCode(65 + i)}. ${option}${i === one.right ? "  ✓ right" : ""}`))));
    if (one.right === null) node.append(el("p", { class: "warn" }, `The answer “${one.answer}” names none of the options.`));
  } else node.append(el("p", {}, el("b", {}, "Answer: "), one.answer));
  if (one.spans.length) {
    node.append(line(video, one.spans), el("p", { class: "soft" }, `Rests on ${one.spans.map(([s, e]) => between(s, e)).join(", ")}`));
    const light = (on) => clips.forEach((c, i) => strip.children[i].classList.toggle("lit", on && one.spans.some(([s, e]) => s < c.end && c.start < e)));
    node.addEventListener("pointerenter", () => light(true));
    node.addEventListener("pointerleave", () => light(false));
    node.addEventListener("focusin", () => light(true));
    node.addEventListener("focusout", () => light(false));
  }
  if (one.reasoning) node.append(el("details", {}, el("summary", {}, "Reasoning"), el("p", { class: "text-block" }, one.reasoning)));
  if (one.turns.length) node.append(el("details", {}, el("summary", {}, `Trace of ${plural(one.turns.length, "turn")}`), ...one.turns.map(turn)));
  for (const score of one.scores) node.append(el("p", { class: "soft" }, `${score.scorer}: ${score.value === null ? "no verdict" : number(score.value)} ${score.explanation}`));
  const shown = Object.entries(one.measures).map(([name, value]) => `${name} ${number(value)}`);
  node.append(el("details", {}, el("summary", {}, "Measures"), el("p", { class: "soft" }, shown.join(" · "))));
  return node;
}
function video(one) {
  const strip = el("ol", { class: "strip", tabIndex: 0 }, ...one.clips.map(clip));
  strip.setAttribute("aria-label", `Clips of ${one.id}`);
  const clips = one.num_clips > one.clips.length ? `${one.clips.length} of ${number(one.num_clips)} captioned clips` : one.num_clips ? plural(one.num_clips, "captioned clip") : "no captions";
  const asked = one.num_questions > one.questions.length ? `${one.questions.length} of ${number(one.num_questions)} questions` : plural(one.num_questions, "question");
  return el("section", { class: "card video" }, el("h3", {}, one.id), el("p", { class: "soft" }, `${clock(one.seconds)} · ${one.size} · ${clips} · ${asked}`),
    ...one.warnings.map((text) => el("p", { class: "warn" }, text)), one.problem ? el("p", { class: "warn" }, one.problem) : "",
    strip, ...one.questions.map((asked) => question(one, asked, one.clips, strip)));
}
function videos() {
  if (!data.sample.length) return at("videos").append(el("p", { class: "soft" }, "No video has a question to show."));
  const of = data.sample.length < data.num_videos ? `${data.sample.length} of ${plural(data.num_videos, "video")}, spread evenly over them` : data.num_videos === 1 ? "The only video with questions" : `All ${plural(data.num_videos, "video")}`;
  at("videos").append(el("p", { class: "soft" }, of), ...data.sample.map(video));
}

header();
steps();
if (data.num_questions) filters();
else at("filters").append(el("p", {}, "No question has come out of this run. The table of steps says where records were let go, and why."));
spread();
videos();
