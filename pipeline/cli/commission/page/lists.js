// The lists beside the picture: sizes of markings, names of areas, and what the program says of the pose.
const byId = (id) => document.getElementById(id);
const KINDS = { rectangle: "Rectangle", length: "Length", parallels: "Parallels" };
const NAME = "[A-Za-z0-9][A-Za-z0-9_\\-]{0,62}";

function item(...parts) {
  const row = document.createElement("li");
  row.append(...parts);
  return row;
}

function span(text, name) {
  return Object.assign(document.createElement("span"), { textContent: text, className: name });
}

function removal(what, remove) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×", className: "remove" });
  button.setAttribute("aria-label", `Delete ${what}`);
  button.addEventListener("click", remove);
  return button;
}

function sizeInput(label, marking, side, { keep, changed }) {
  const input = Object.assign(document.createElement("input"), { type: "number", min: 0.01, max: 999, step: 0.01, placeholder: "metres" });
  if (marking.sizes[side] > 0) input.value = marking.sizes[side];
  input.setAttribute("aria-label", label);
  input.addEventListener("focus", keep);
  input.addEventListener("input", () => {
    if (input.value !== "" && !input.checkValidity()) return;
    marking.sizes[side] = Number(input.value);
    changed();
  });
  input.addEventListener("change", () => input.reportValidity());
  return [span(label, "side"), input];
}

function nameInput(kind, first, group, draft, { keep, changed }) {
  let name = first;
  const input = Object.assign(document.createElement("input"), { type: "text", defaultValue: name, pattern: NAME, required: true });
  input.setAttribute("aria-label", `Name of ${kind} ${name}`);
  input.addEventListener("change", () => {
    const taken = input.value !== name && input.value in draft[group];
    input.setCustomValidity(taken ? "That name is taken." : "");
    if (!input.checkValidity()) return input.reportValidity();
    keep();
    draft[group] = Object.fromEntries(Object.entries(draft[group]).map(([each, value]) => [each === name ? input.value : each, value]));
    name = input.value;
    input.defaultValue = name;
    changed();
  });
  return input;
}

// Rows are made anew, but not under the hands of somebody who types into one of them.
function fill(list, rows) {
  const isTyping = list.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
  if (!isTyping || rows.length !== list.children.length) list.replaceChildren(...rows);
}

function markingRows(draft, edit) {
  return draft.markings.map((marking, index) => {
    const labels = marking.kind === "rectangle" ? ["1–2", "2–3"] : [""];
    const what = `${KINDS[marking.kind]} ${index + 1}`;
    return item(
      span(KINDS[marking.kind], "what"),
      ...labels.flatMap((label, side) => sizeInput(label ? `side ${label}` : "metres", marking, side, edit)),
      removal(what, () => { edit.keep(); draft.markings.splice(index, 1); edit.changed(); }),
    );
  });
}

function areaRows(draft, state, edit) {
  const drop = (group, input) => () => { edit.keep(); delete draft[group][input.defaultValue]; edit.changed(); };
  const rows = [];
  for (const name of Object.keys(draft.zones)) {
    const input = nameInput("zone", name, "zones", draft, edit);
    rows.push(item(span("Zone", "what"), input, span("", "grow"), removal(`zone ${name}`, drop("zones", input))));
  }
  for (const group of ["lines", "kept_lines"]) {
    for (const name of Object.keys(draft[group])) {
      const input = nameInput("line", name, group, draft, edit);
      rows.push(item(span("Line", "what"), input, span(state.lines[name] ?? "", "grow"), removal(`line ${name}`, drop(group, input))));
    }
  }
  draft.privacy.forEach((_, index) => {
    rows.push(item(span("Privacy", "what"), span(`mask ${index + 1}`, "grow"), removal(`privacy mask ${index + 1}`, () => {
      edit.keep();
      draft.privacy.splice(index, 1);
      edit.changed();
    })));
  });
  return rows;
}

export function showLists(draft, state, edit) {
  fill(byId("markings"), markingRows(draft, edit));
  fill(byId("areas"), areaRows(draft, state, edit));
  byId("pose").replaceChildren(...state.pose.map((text) => item(text)));
  byId("advice").replaceChildren(...state.advice.map((text) => item(text)));
  for (const name of ["height", "pitch", "hfov"]) {
    const input = byId(`typed-${name}`);
    if (input !== document.activeElement) input.value = draft.typed[name] ?? "";
    input.placeholder = state.view ? String(state.view[name]) : "found";
  }
  if (byId("yaw") !== document.activeElement) byId("yaw").value = draft.yaw;
}
