const runs = data.runs, several = runs.length > 1;
const MARKS = { right: "✓ right", wrong: "✗ wrong", none: "– no verdict" };
const COSTS = { cost_usd: "USD", frames: "frames", tokens: "tokens", seconds: "seconds" };
const NONE = "–";
const isNumber = (value) => typeof value === "number";
const share = (value) => isNumber(value) ? (100 * value).toFixed(1) : NONE;
const range = (pair) => pair ? `${share(pair[0])} to ${share(pair[1])}` : NONE;
const seconds = (value) => isNumber(value) ? value.toLocaleString("en", { maximumFractionDigits: value < 1 ? 2 : value < 100 ? 1 : 0 }) : NONE;
const count = (value) => isNumber(value) ? number(value) : NONE;
const small = (value, digits = 3) => isNumber(value) ? value.toLocaleString("en", { maximumSignificantDigits: digits }) : NONE;
const chance = (p) => isNumber(p) && p < 0.0001 ? "< 0.0001" : small(p, 2);
const unique = (lists) => [...new Set(lists.flat())];
const headOf = (run) => run.metrics.headline;
const add = (id, ...nodes) => at(id).append(...nodes.filter(Boolean));

function table(label, heads, rows, words = []) { // `words`: columns of words, not of numbers
  const cell = (tag, props, value, i) => el(tag, { ...props, class: words.includes(i) ? "text" : "" }, ...[value].flat());
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head, i) => cell("th", { scope: "col" }, head, i)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value, i) => i ? cell("td", {}, value, i) : cell("th", { scope: "row" }, value, i)))))));
}
function bar(mean, interval) { // a share on a line from 0 to 1
  if (!isNumber(mean)) return "";
  const drawn = svg("svg", { class: "bar", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawn.append(svg("rect", { class: "all", x: 0, y: 6, width: 100, height: 2 }));
  if (interval) drawn.append(svg("line", { class: "range", x1: 100 * interval[0], x2: 100 * interval[1], y1: 7, y2: 7 }));
  drawn.append(svg("rect", { class: "mean", x: Math.max(0, 100 * mean - 1.5), y: 2, width: 3, height: 10 }));
  return drawn;
}

// ---- headlines
function headlines() {
  const first = runs[0].metrics;
  at("what").textContent = `${plural(data.num_questions, "question")} asked of ${plural(runs.length, "run")} · percent, with ${first.method.confidence * 100} % intervals. ${first.method.about}.`;
  add("headlines", ...runs.map((run) => {
    const m = run.metrics, head = headOf(run);
    return el("article", { class: "card headline" }, el("h2", {}, run.name), run.kind ? el("span", { class: "kind" }, run.kind) : "",
      el("div", { class: "big" }, head.value === null ? "no headline" : share(head.value)),
      el("p", {}, [head.interval && range(head.interval), head.column + (head.mean_over ? `, mean over ${head.mean_over}` : "")].filter(Boolean).join(" · ")),
      el("p", { class: "soft" }, `${run.asked} · coverage ${share(m.coverage)}`),
      run.notes.length ? el("ul", { class: "notes soft" }, ...run.notes.map((note) => el("li", { class: note.startsWith("no headline") ? "warn" : "" }, note))) : "");
  }));
  add("headlines", el("details", { class: "terms" }, el("summary", {}, "What the words mean"), el("dl", {}, ...data.terms.flatMap(([term, told]) => [el("dt", {}, term), el("dd", {}, told)]))));
}

// ---- verdicts
function verdicts() {
  const rows = runs.flatMap((run) => Object.keys(run.metrics.coverages).map((name) => {
    const m = run.metrics, mean = m.accuracy[name], interval = m.interval[name];
    return [run.name, name + (name === headOf(run).column ? " (headline)" : ""), [share(mean), bar(mean, interval)], range(interval), share(m.standard_error[name]), count(m.asked[name]), share(m.coverages[name]), range(m.bounds[name])];
  }));
  add("verdicts", table("Verdicts by column", ["Run", "Column", "Right", "Interval", "SE", "n", "Coverage", "All wrong to all right"], rows, [1]),
    el("p", { class: "soft" }, "The last column: the share right if every question without a verdict were wrong, and if each were right."));
  const causes = unique(runs.map((run) => Object.keys(run.metrics.no_verdict)));
  add("verdicts", el("h3", {}, "What is not measured"), table("What is not measured", ["Run", ...causes.map((cause) => `no verdict: ${cause}`), "unreadable (wrong)"],
    runs.map((run) => [run.name, ...causes.map((cause) => count(run.metrics.no_verdict[cause] || 0)), count(run.metrics.unreadable)])));
  const measures = runs.flatMap((run) => Object.entries(run.metrics.measures).map(([name, one]) => [run.name, name, [share(one.mean), bar(one.mean, one.interval)], range(one.interval), count(one.n), count(one.no_value)]));
  if (measures.length) add("verdicts", el("h3", {}, "Measures"), table("Measures", ["Run", "Measure", "Mean", "Interval", "n", "No value"], measures, [1]));
  const agreed = runs.flatMap((run) => Object.entries(run.metrics.agreement).map(([pair, one]) => {
    const [a, b] = pair.split("_");
    return [run.name, `${a} and ${b}`, count(one.n), share(one.agree), small(one.kappa, 2), count(one[`only_${a}`]), count(one[`only_${b}`])];
  }));
  if (agreed.length) add("verdicts", el("h3", {}, "Do the columns agree?"), table("Agreement", ["Run", "Columns", "n", "Agree", "Kappa", "Only first right", "Only second right"], agreed, [1]));
  if (data.comparisons.length) compared();
}
function compared() {
  const nameOf = (one) => `${one.b} against ${one.a}`, problems = unique(data.comparisons.map((one) => one.problem || []));
  const rows = data.comparisons.filter((one) => !one.problem).map((one) => {
    const exact = one.mcnemar, left = Object.values(one.no_verdict).reduce((sum, n) => sum + n, 0);
    return [nameOf(one), count(one.n), share(one.difference), one.n && !one.num_different ? "no pair differs" : range(one.interval), chance(one.p), exact ? count(exact.only_a) : NONE, exact ? count(exact.only_b) : NONE, exact ? chance(exact.p_exact) : NONE,
      [[left, "no verdict"], [one.not_defined, "not defined"], [one.unpaired.a.n + one.unpaired.b.n, "unpaired"]].filter(([n]) => n).map(([n, what]) => `${count(n)} ${what}`).join(", ") || "0"];
  });
  add("verdicts", el("h3", {}, "Runs compared question by question"));
  if (rows.length) add("verdicts", table("Comparison", ["Run b against a", "Pairs", "Difference", "Interval", "p", "Only a right", "Only b right", "McNemar p", "Left out"], rows),
    el("p", { class: "soft" }, "Points. p takes into account that questions share videos; McNemar's does not."));
  for (const problem of problems) {
    const names = data.comparisons.filter((one) => one.problem === problem).map(nameOf);
    add("verdicts", el("p", { class: "soft" }, rows.length || problems.length > 1 ? `Not compared: ${names.join("; ")}: ${problem}.` : `No two of these runs are compared: ${problem}.`));
  }
}

// ---- cost
const perQuestion = (run) => {
  const each = run.metrics.usage.per_question;
  return { ...each, tokens: isNumber(each.input_tokens) ? each.input_tokens + each.output_tokens : null };
};
function steps(high) { // round numbers from 0 up to `high`
  const raw = high / 4, ten = 10 ** Math.floor(Math.log10(raw)), step = ten * [1, 2, 5, 10].find((n) => n * ten >= raw);
  return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}
function decades(low, high) { // 1, 2, 5, 10, ...; only 1, 10, 100 where those are many
  const tens = Array.from({ length: 1 + Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) }, (_, i) => 10 ** (Math.floor(Math.log10(low)) + i));
  const all = (parts) => tens.flatMap((ten) => parts.map((n) => Number((n * ten).toPrecision(12)))).filter((x) => x >= low && x <= high);
  return [all([1, 2, 5]), all([1, 3]), all([1])].find((found) => found.length <= 6) || all([1]);
}
function chart(cost) {
  const W = 720, H = 340, left = 52, right = 20, top = 14, bottom = 44;
  const points = runs.map((run) => {
    const head = headOf(run), m = run.metrics, shown = head.value !== null;
    return { run, shown, x: perQuestion(run)[cost], y: shown ? head.value : m.accuracy[head.column], interval: shown ? head.interval : m.bounds[head.column] };
  }).filter((point) => isNumber(point.x) && isNumber(point.y));
  const unit = COSTS[cost];
  if (!points.length) return el("p", { class: "soft" }, `No run has a known number of ${unit}.`);
  const xs = points.map((point) => point.x), positive = xs.filter((x) => x > 0);
  const log = positive.length === xs.length && Math.max(...xs) > 20 * Math.min(...xs);
  const low = log ? Math.log10(Math.min(...xs)) - 0.15 : 0, high = log ? Math.log10(Math.max(...xs)) + 0.15 : Math.max(...xs) * 1.15 || 1;
  const px = (x) => left + ((log ? Math.log10(x) : x) - low) / (high - low) * (W - left - right);
  const py = (y) => top + (1 - y) * (H - top - bottom);
  const drawn = svg("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img" });
  drawn.setAttribute("aria-label", points.map((p) => `${p.run.name}: ${share(p.y)} percent at ${small(p.x)} ${unit}`).join("; "));
  const text = (x, y, words, props = {}) => { const node = svg("text", { x, y, ...props }); node.textContent = words; drawn.append(node); };
  for (let y = 0; y <= 4; y++) {
    drawn.append(svg("line", { class: "rule", x1: left, x2: W - right, y1: py(y / 4), y2: py(y / 4) }));
    text(left - 8, py(y / 4) + 4, `${25 * y}`, { "text-anchor": "end" });
  }
  for (const x of log ? decades(10 ** low, 10 ** high) : steps(high)) {
    drawn.append(svg("line", { class: "rule", x1: px(x), x2: px(x), y1: py(0), y2: py(0) + 5 }));
    text(px(x), H - bottom + 20, small(x, 12), { "text-anchor": "middle" });
  }
  text(0, top + 4, "%");
  text((left + W - right) / 2, H - 6, `${unit} per question${log ? " (logarithmic)" : ""}`, { "text-anchor": "middle" });
  for (const { run, shown, x, y, interval } of points) {
    if (interval) drawn.append(svg("line", { class: "range", x1: px(x), x2: px(x), y1: py(interval[0]), y2: py(interval[1]) }));
    const shape = run.kind ? svg("rect", { x: px(x) - 5, y: py(y) - 5, width: 10, height: 10 }) : svg("circle", { cx: px(x), cy: py(y), r: 6 });
    shape.setAttribute("class", `point${shown ? "" : " open"}`);
    drawn.append(shape);
  }
  const boxes = points.map(({ x, y, interval }) => [px(x) - 7, py(interval ? interval[1] : y) - 7, px(x) + 7, py(interval ? interval[0] : y) + 7]);
  for (const { run, x, y } of points) { // each name where it meets no point and no other name
    const name = run.name.length > 32 ? `${run.name.slice(0, 31)}…` : run.name, width = 7 * name.length, X = px(x), Y = py(y);
    const middle = Math.max(left + 2, Math.min(X - width / 2, W - 2 - width));
    const places = [[X + 11, Y + 4], [X - 11 - width, Y + 4], ...[12, 28, 44].flatMap((dy) => [[middle, Y - dy], [middle, Y + dy + 10], [X + 11, Y - dy], [X + 11, Y + dy + 8], [X - 11 - width, Y - dy], [X - 11 - width, Y + dy + 8]])];
    const box = places.map(([x, y]) => [x, y - 12, x + width, y + 3]).find((one) => one[0] > left && one[2] < W && boxes.every((other) => one[2] < other[0] || one[0] > other[2] || one[3] < other[1] || one[1] > other[3]));
    const [at, line] = box ? [box[0], box[3] - 3] : places[0];
    text(at, line, name, { class: "name" });
    boxes.push([at, line - 12, at + width, line + 3]);
  }
  return drawn;
}
function costs() {
  const known = Object.keys(COSTS).filter((name) => runs.some((run) => isNumber(perQuestion(run)[name]) && perQuestion(run)[name] > 0));
  const select = el("select", { id: "cost-by" }, ...known.map((name) => el("option", { value: name }, `${COSTS[name]} per question`)));
  const place = el("div");
  const draw = () => place.replaceChildren(chart(select.value));
  select.addEventListener("change", draw);
  if (known.length) { add("cost", el("div", { class: "controls" }, el("label", { htmlFor: select.id }, "Cost", select)), place); draw(); }
  const marks = [runs.some((run) => run.kind) && "Squares are baselines and runs made with gold.", runs.some((run) => headOf(run).value === null) && "Hollow points have no headline: their line is what is possible, not an interval."];
  add("cost", el("p", { class: "soft" }, marks.filter(Boolean).join(" ")));
  const names = ["calls", "input_tokens", "output_tokens", "frames", "cost_usd"];
  add("cost", table("Cost", ["Run", "", "Calls", "Input tokens", "Output tokens", "Frames", "USD", "Seconds"], runs.flatMap((run) => [
    [run.name, "in total", ...names.map((name) => small(run.metrics.usage[name], 6)), seconds(run.metrics.usage.seconds)],
    [run.name, "per question", ...names.map((name) => small(run.metrics.usage.per_question[name])), seconds(run.metrics.usage.per_question.seconds)]])));
}

// ---- looking, strata, settings
function looking() {
  const rows = runs.filter((run) => run.metrics.localisation.n).map((run) => {
    const at = run.metrics.localisation;
    return [run.name, count(at.shown.n), ...["shown", "hit", "coverage", "iou"].map((name) => share(at[name].mean)), small(at.looks_per_question), seconds(at.looked_seconds_per_question), small(at.frames_per_question), small(at.gold_frames_per_question)];
  });
  if (!rows.length) return add("looking", el("p", { class: "soft" }, "No run got as far as looking."));
  add("looking", table("Where it looked", ["Run", "Questions with gold", "Shown", "Hit", "Coverage", "IoU", "Looks", "Seconds looked at", "Frames", "Frames in gold"], rows),
    el("p", { class: "soft" }, "Percent. Shown: the share of gold spans of which a frame was shown, in the overview or later. Hit: some look of the agent's tools shares time with a gold span. Coverage: the share of the gold seconds that was looked at. Agents without tools have no looks, so neither of the last three. The rest is per question."));
}
function strata() {
  const names = unique(runs.map((run) => Object.keys(run.metrics.strata)));
  if (!names.length) return add("strata", el("p", { class: "soft" }, "No question has strata. Name columns of the data in a TOML file that begins from this benchmark, and run that: ", el("code", {}, "[strata] topic = [\"topic\"]"), " gives the numbers of every topic."));
  for (const name of names) {
    const values = unique(runs.map((run) => Object.keys(run.metrics.strata[name] || {})));
    const rows = values.map((value) => [value, ...runs.map((run) => {
      const one = (run.metrics.strata[name] || {})[value], column = headOf(run).column;
      if (!one) return NONE;
      const mean = one.accuracy[column], interval = one.interval[column];
      return [share(mean), bar(mean, interval), el("div", { class: "soft" }, `${range(interval)} · n ${count(one.n)}${one.coverage < 1 ? ` · coverage ${share(one.coverage)}` : ""}`)];
    })]);
    add("strata", el("h3", {}, name), table(name, [name, ...runs.map((run) => run.name)], rows));
  }
  add("strata", el("p", { class: "soft" }, "In the headline column. A question may be in several values of a stratum; an interval needs two videos."));
}
function flat(value, name, into) {
  if (value && typeof value === "object" && !Array.isArray(value)) for (const [key, held] of Object.entries(value)) flat(held, name ? `${name}.${key}` : key, into);
  else into.set(name, Array.isArray(value) && value.length ? JSON.stringify(value) : value === null || value === "" || typeof value === "object" ? NONE : String(value));
  return into;
}
function settings() {
  const each = runs.map((run) => flat(run.metrics.settings, "", new Map()));
  const rows = unique(each.map((one) => [...one.keys()])).map((name) => {
    const values = each.map((one) => one.get(name) ?? NONE), differs = new Set(values).size > 1;
    return values.every((value) => value === NONE) ? null : [name, ...values.map((value) => el("span", { class: differs ? "differs" : "" }, value))];
  }).filter(Boolean);
  add("settings", several ? el("p", { class: "soft" }, "In which the runs differ is coloured.") : null, table("Settings", ["Setting", ...runs.map((run) => run.name)], rows, runs.map((_, i) => i + 1)));
}

// ---- questions
const PAGE = 100;
const state = (answer) => answer ? answer.state : "absent";
const says = (answer, name) => { const value = answer && answer.scores[name]; return isNumber(value) ? value > 0.5 : null; };
function disagreements() { // what may be asked for: label -> does this question show it
  const found = [];
  for (const [a, b] of [["judge", "strict"], ["strict", "judge"], ["judge", "lenient"], ["lenient", "judge"], ["lenient", "strict"], ["strict", "lenient"]])
    found.push([`${a} right, ${b} wrong`, (row) => row.runs.some((one) => says(one, a) === true && says(one, b) === false)]);
  for (const [i, a] of runs.entries()) for (const [j, b] of runs.entries())
    if (i !== j) found.push([`${a.name} right, ${b.name} wrong`, (row) => state(row.runs[i]) === "right" && state(row.runs[j]) === "wrong"]);
  return found.filter(([, holds]) => data.questions.some(holds));
}
function choose(label, options) { // options: [words, does a row fit]
  const select = el("select", {}, el("option", { value: "" }, "all"), ...options.map(([words], i) => el("option", { value: i }, words)));
  return [el("label", {}, label, select), (row) => select.value === "" || options[select.value][1](row)];
}
function questions() {
  const any = (fits) => (row) => row.runs.some((one) => one && fits(one));
  const causes = unique(data.questions.map((row) => row.runs.map((one) => one && one.state === "none" ? one.cause : null).filter(Boolean)));
  const outcomes = [["wrong", any((one) => one.state === "wrong")], ["right", any((one) => one.state === "right")], ["no verdict", any((one) => one.state === "none")],
    ...causes.map((cause) => [`no verdict: ${cause}`, any((one) => one.state === "none" && one.cause === cause)]), ["unreadable", any((one) => one.unreadable)]];
  const names = unique(data.questions.map((row) => Object.keys(row.strata)));
  const filters = [choose(several ? "Outcome in any run" : "Outcome", outcomes)];
  const differ = disagreements();
  if (differ.length) filters.push(choose("Disagreement", differ));
  for (const name of names) filters.push(choose(name, unique(data.questions.map((row) => row.strata[name] || [])).sort().map((value) => [value, (row) => (row.strata[name] || []).includes(value)])));
  const search = el("input", { type: "search", placeholder: "words of a question, an answer, an id" });
  const status = el("p", { class: "soft", role: "status" }), list = el("div"), more = el("button", { type: "button", id: "more" }, "Show more");
  let found = [], shown = 0;
  const show = () => { list.append(...found.slice(shown, shown += PAGE).map(item)); more.hidden = shown >= found.length; };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = data.questions.filter((row) => filters.every(([, fits]) => fits(row)) && words.every((word) => textOf(row).includes(word)));
    status.textContent = `${count(found.length)} of ${plural(data.questions.length, "question")} · click one to see its answers, verdicts and turns`;
    list.replaceChildren();
    shown = 0;
    show();
  };
  const all = data.num_questions, held = [[data.questions.length, "a row"], [data.num_with_text, "their whole text"], [data.num_with_turns, "their turns"]].filter(([n]) => n < all);
  add("questions", held.length ? el("p", { class: "soft" }, `To keep this page small, not all of the ${count(all)} questions have ${held.map(([n, what]) => `${what} (${count(n)} do)`).join(", ")}; failures come first.`) : null,
    el("div", { class: "controls" }, el("label", { class: "search" }, "Search", search), ...filters.map(([node]) => node)), status, list, more);
  for (const [node] of filters) node.addEventListener("change", filter);
  search.addEventListener("input", filter);
  more.addEventListener("click", show);
  filter();
}
const texts = new Map();
function textOf(row) {
  if (!texts.has(row)) texts.set(row, [row.id, row.text ? row.text.question : row.question, ...row.runs.map((one) => one && one.answer || ""), ...((row.text && row.text.options) || [])].join(" ").toLowerCase());
  return texts.get(row);
}
function item(row) {
  const marks = row.runs.map((one, i) => one && el("span", { class: `mark ${state(one)}` }, (several ? `${runs[i].name}: ` : "") + (one && one.unreadable ? "✗ unreadable" : one && one.cause && one.state === "none" ? `– ${one.cause}` : MARKS[state(one)]))).filter(Boolean);
  const tags = [row.id + (runs.some((run) => run.metrics.num_epochs > 1) ? `, epoch ${(row.epoch || 0) + 1}` : ""), ...Object.values(row.strata).map((values) => values.join(", "))];
  const node = el("details", { class: `row${several ? " several" : ""}` }, el("summary", {}, el("span", { class: "marks" }, ...marks), el("span", { class: "asks" }, row.question || row.id), el("span", { class: "sub soft" }, tags.filter(Boolean).join(" · "))));
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(inside(row)); });
  return node;
}
function inside(row) {
  const text = row.text || {}, node = el("div", { class: "inside" });
  if (text.question) node.append(el("p", { class: "asked" }, text.question));
  if (!row.text) node.append(el("p", { class: "soft" }, "The whole text is left out to keep the page small; it is in predictions.jsonl."));
  const letters = row.runs.map((one) => one && one.answer && /^[A-Z]$/.test(one.answer.trim()) ? one.answer.trim() : null);
  if (text.options && text.options.length) node.append(el("ol", { class: "options" }, ...text.options.map((option, i) => {
    const letter = String.fromCharCode(65 + i), chose = runs.filter((_, k) => letters[k] === letter).map((run) => run.name), gold = letter === text.target;
    return el("li", { class: `${gold ? "right " : ""}${chose.length ? "chosen" : ""}` }, `${letter}. ${option}${gold ? "  ✓ right" : ""}${chose.length ? `  ← ${several ? chose.join(", ") : "the answer"}` : ""}`);
  })));
  else if (text.target) node.append(el("p", {}, el("b", {}, "Right: "), text.target));
  const where = [text.video, (text.spans || []).length && `the answer is at ${text.spans.map(([s, e]) => between(s, e)).join(", ")}`];
  node.append(el("p", { class: "soft" }, where.filter(Boolean).join(" · ")));
  node.append(...row.runs.map((one, i) => one ? answer(one, (text.runs || [])[i] || {}, (row.turns || [])[i], runs[i]) : ""));
  return node;
}
function answer(one, full, turns, run) {
  const node = el("article", { class: "card" }, el("h4", {}, run.name, " ", el("span", { class: `mark ${one.state}` }, MARKS[one.state])));
  const said = full.answer ?? one.answer;
  node.append(said === undefined || said === null ? el("p", { class: "soft" }, "No answer.") : el("p", { class: "text-block" }, el("b", {}, "Answer: "), said));
  if (one.cause || full.error) node.append(el("p", { class: "warn" }, [one.cause, full.error].filter(Boolean).join(": ")));
  for (const [name, value] of Object.entries(one.scores)) node.append(el("p", { class: "soft" }, `${name}: ${value === null ? "no verdict" : value === 1 && name in run.metrics.coverages ? "right" : value === 0 && name in run.metrics.coverages ? "wrong" : `${share(value)} %`}${(full.notes || {})[name] ? `, ${full.notes[name]}` : ""}`));
  const at = full.looked;
  if (at) node.append(el("p", { class: "soft" }, [at.hit === null && !at.looks ? "" : plural(at.looks, "look") + (at.hit === null ? "" : at.hit ? `, hit the gold span: coverage ${share(at.coverage)} %, IoU ${share(at.iou)} %` : ", none at the gold span"), isNumber(at.shown) ? `frames of ${share(at.shown)} % of the gold spans shown` : ""].filter(Boolean).join(" · ")));
  if (full.frames !== undefined) node.append(el("p", { class: "soft" }, `${plural(full.frames, "frame")} · ${plural(full.tokens, "token")} · ${full.cost_usd === null ? "price unknown" : `$${full.cost_usd.toFixed(4)}`} · ${seconds(full.seconds)} s`));
  if (full.link) node.append(el("p", {}, el("a", { href: full.link }, "Open its evidence")));
  if (turns) node.append(el("details", {}, el("summary", {}, `Trace of ${plural(turns.first + turns.turns.length, "turn")}`),
    turns.first ? el("p", { class: "soft" }, `The last ${turns.turns.length}:`) : "", ...turns.turns.map((made, i) => turn(made, turns.first + i))));
  return node;
}

headlines();
verdicts();
costs();
looking();
strata();
questions();
settings();
