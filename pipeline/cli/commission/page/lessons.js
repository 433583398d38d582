// What is typed for the empty view and for drive-ins, and the stops that were read.
const byId = (id) => document.getElementById(id);

// What a long step is asked with.
export function asked(step) {
  const of = (id) => byId(id).value.trim();
  if (step === "empty_view") return { from: of("empty-from"), to: of("empty-to") };
  if (step !== "drive_in") return {};
  const metres = byId("stop-metres");
  return {
    metres: metres.value === "" ? null : Number(metres.value),
    line: byId("stop-line").value,
    vehicle: of("stop-vehicle"),
    from: of("stop-from"),
    to: of("stop-to"),
  };
}

function cell(text) {
  return Object.assign(document.createElement("td"), { textContent: text });
}

function stopRow(stop, isBusy, forget) {
  const row = document.createElement("tr");
  row.title = `read ${stop.measured_at}`;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×", className: "remove", disabled: isBusy });
  button.setAttribute("aria-label", `Forget the stop of ${stop.vehicle} at ${stop.known}`);
  button.addEventListener("click", () => forget(stop.number));
  const last = document.createElement("td");
  last.append(button);
  row.append(...[stop.known, stop.read, stop.off, stop.scatter, stop.line, stop.vehicle].map(cell), last);
  return row;
}

// The choice stays while the same lines are there.
function showLines(names) {
  const select = byId("stop-line");
  const chosen = select.value;
  const shown = names.length ? names : ["draw a line first"];
  select.replaceChildren(...shown.map((name) => Object.assign(document.createElement("option"), { textContent: name, value: names.length ? name : "" })));
  if (names.includes(chosen)) select.value = chosen;
}

export function showLessons(state, draft, forget) {
  for (const field of document.querySelectorAll(".of-file")) field.hidden = !state.is_file;
  for (const text of document.querySelectorAll(".of-simulated")) text.hidden = !state.is_simulated;
  showLines(Object.keys({ ...draft.lines, ...draft.kept_lines }));
  byId("stops").hidden = !state.stops.length;
  byId("stops").querySelector("tbody").replaceChildren(...state.stops.map((stop) => stopRow(stop, state.is_busy, forget)));
}
