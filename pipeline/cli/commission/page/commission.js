// What was drawn lives here and is sent whole after every change; what follows from it (pose, grid, mistakes) comes back.
import { Stage } from "/page/stage.js";
import { showLists } from "/page/lists.js";
import { asked, showLessons } from "/page/lessons.js";

const byId = (id) => document.getElementById(id);
const HINTS = {
  "": "Drag a point to move it. Choose above what to draw.",
  rectangle: "Rectangle on the floor: click its four corners in order round it, then give two sides.",
  length: "Length on the floor: click its two ends, then give its metres.",
  parallels: "Parallel lines: click two points on the first line, two on the second, then give the metres between them.",
  zone: "Zone: click its corners; click the first one again or press Enter to close it.",
  line: "Line on the floor: click its two ends. Metres are told from it.",
  privacy: "Privacy mask: click its corners; click the first one again or press Enter to close it.",
};
const NUM_POINTS = { rectangle: 4, length: 2, parallels: 4, line: 2 };

let state = null;
let draft = null;
let history = [];
let waiting = null; // the newest draft that was not sent yet
let sent = null; // settles when all of it was

const stage = new Stage(byId("stage"), { added, grabbed: keep, moved: changed });

async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The program does not answer. Is `commission` still running in its terminal?");
  }
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  const value = isJson ? await answer.json() : { error: await answer.text() };
  if (!answer.ok) throw new Error(value.error || JSON.stringify(value.detail));
  return value;
}

function attempt(work) {
  return work().catch((error) => {
    byId("error-text").textContent = error.message;
    byId("error").hidden = false;
  });
}

// Only markings with all their sizes are told: the others wait for a number.
const told = () => ({ ...draft, markings: draft.markings.filter((each) => each.sizes.every((size) => size > 0)) });

async function sendAll() {
  try {
    while (waiting) {
      const next = waiting;
      waiting = null;
      const answer = await call("PUT", "/draft", next);
      if (!waiting) show(answer);
    }
  } finally {
    sent = null;
  }
}

function send() {
  waiting = told();
  sent ??= sendAll();
  return sent;
}

// Nothing is asked for before the program knows what is drawn.
async function ask(path, body) {
  await sent;
  return call("POST", path, body);
}

function changed() {
  byId("error").hidden = true;
  draw();
  attempt(send);
}

function keep() {
  const now = JSON.stringify(draft);
  if (now !== history.at(-1)) history.push(now);
}

function undo() {
  if (stage.dropPoint()) return;
  const now = JSON.stringify(draft);
  while (history.length) {
    const before = history.pop();
    if (before === now) continue;
    draft = JSON.parse(before);
    return changed();
  }
}

const freeName = (stem, taken) => {
  let name = stem;
  for (let number = 2; name in taken; number += 1) name = `${stem}-${number}`;
  return name;
};

function added(mode, points) {
  keep();
  if (mode === "zone") draft.zones[freeName("zone", draft.zones)] = points;
  else if (mode === "privacy") draft.privacy.push(points);
  else if (mode === "line") draft.lines[freeName("line", { ...draft.lines, ...draft.kept_lines })] = points;
  else draft.markings.push({ kind: mode, points, sizes: mode === "rectangle" ? [0, 0] : [0] });
  setMode("");
  changed();
  const fresh = document.querySelector(`#${mode in NUM_POINTS && mode !== "line" ? "markings" : "areas"} li:last-child input`);
  if (fresh) fresh.focus();
}

function setMode(mode) {
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  byId("hint").textContent = HINTS[mode];
  stage.draws(mode, NUM_POINTS[mode] ?? 0);
}

function draw() {
  stage.show(draft, byId("show-grid").checked ? state.grid : []);
  showLists(draft, state, { keep, changed });
  showLessons(state, draft, forget);
}

function forget(number) {
  attempt(async () => show(await ask(`/stops/${number}/forget`)));
}

function show(found) {
  state = found;
  byId("camera").textContent = state.camera;
  byId("source").textContent = state.source;
  byId("file").textContent = state.is_new ? `Writes ${state.file}.` : `Changes ${state.file}; comments there stay.`;
  for (const card of document.querySelectorAll(".step")) {
    const step = state.steps[card.dataset.step];
    card.dataset.status = step.status;
    card.querySelector(".said").textContent =
      step.status === "running" && step.of ? `${step.said}: ${step.done} of ${step.of}` : step.said;
    const bar = card.querySelector("progress");
    if (bar) {
      bar.hidden = step.status !== "running";
      bar.value = step.of ? step.done / step.of : 0;
    }
  }
  for (const button of document.querySelectorAll("[data-mode], [data-run], #undo, #again, #here, #save, #replace, #finish")) {
    button.disabled = state.is_busy;
  }
  draw();
}

async function watch() {
  while (state.is_busy) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    show(await call("GET", "/state"));
  }
}

async function save(replace) {
  const { saved, state: found } = await ask("/save", { replace });
  show(found);
  byId("difference").hidden = saved.answer !== "ask";
  byId("difference").querySelector("pre").textContent = saved.answer === "ask" ? saved.text : "";
  byId("notes").replaceChildren(...saved.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
}

function loadPicture() {
  return stage.load(`/picture.png?${Date.now()}`, state.size);
}

function typed(name) {
  return (event) => {
    if (!event.target.checkValidity()) return event.target.reportValidity();
    keep();
    if (name === "yaw") draft.yaw = Number(event.target.value) || 0;
    else if (event.target.value === "") delete draft.typed[name];
    else draft.typed[name] = Number(event.target.value);
    changed();
  };
}

async function begin() {
  state = await call("GET", "/state");
  draft = state.draft;
  await loadPicture();
  show(state);
  setMode("");
  await watch();
}

for (const button of document.querySelectorAll("[data-mode]")) {
  button.addEventListener("click", () => {
    setMode(button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.mode);
    byId("drawing").focus({ preventScroll: true });
  });
}
for (const button of document.querySelectorAll("[data-run]")) {
  button.addEventListener("click", () => attempt(async () => {
    byId("error").hidden = true;
    show(await ask(`/steps/${button.dataset.run}`, asked(button.dataset.run)));
    await watch();
  }));
}
for (const name of ["height", "pitch", "hfov"]) byId(`typed-${name}`).addEventListener("change", typed(name));
byId("yaw").addEventListener("change", typed("yaw"));
byId("here").addEventListener("click", () => {
  keep();
  draft.kept_lines[freeName("here", { ...draft.lines, ...draft.kept_lines })] = "here";
  changed();
});
byId("undo").addEventListener("click", undo);
byId("show-grid").addEventListener("change", draw);
byId("again").addEventListener("click", () => attempt(async () => {
  show(await ask("/picture"));
  await loadPicture();
}));
byId("save").addEventListener("click", () => attempt(() => save(false)));
byId("replace").addEventListener("click", () => attempt(() => save(true)));
byId("leave").addEventListener("click", () => { byId("difference").hidden = true; });
byId("finish").addEventListener("click", () => attempt(async () => {
  await call("POST", "/finish");
  document.body.replaceChildren(Object.assign(document.createElement("h1"), { textContent: "Done. You may close this page." }));
}));
byId("error-close").addEventListener("click", () => { byId("error").hidden = true; });
for (const id of ["markings", "areas"]) {
  byId(id).addEventListener("focusout", (event) => {
    if (!byId(id).contains(event.relatedTarget)) setTimeout(draw);
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") setMode("");
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && event.target.tagName !== "INPUT") {
    event.preventDefault();
    undo();
  }
});

attempt(begin);
