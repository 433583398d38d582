// The picture and everything that is drawn on it. Points are [x, y] in 0..1 of the picture.
const SVG = "http://www.w3.org/2000/svg";
const CLOSE_PX = 12;
const ZOOM = 7;

function make(name, attributes, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

export class Stage {
  constructor(root, { added, grabbed, moved }) {
    this.root = root;
    this.svg = root.querySelector("svg");
    this.image = root.querySelector("img");
    this.loupe = root.querySelector("canvas");
    this.added = added;
    this.grabbed = grabbed; // told before a point is moved
    this.moved = moved;
    this.mode = "";
    this.wanted = 0; // points of a shape; 0: as many as somebody clicks
    this.points = [];
    this.at = null; // of the pointer or the keyboard's cross
    this.drag = null;
    this.draft = null;
    this.grid = [];
    this.svg.addEventListener("pointerdown", (event) => this.press(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.release(event));
    this.svg.addEventListener("pointerleave", () => { this.loupe.hidden = true; });
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  async load(address, [height, width]) {
    this.width = width;
    this.height = height;
    this.root.style.aspectRatio = `${width} / ${height}`;
    this.root.style.maxWidth = `calc(82vh * ${width / height})`;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.image.src = address;
    await this.image.decode();
  }

  draws(mode, wanted) {
    this.mode = mode;
    this.wanted = wanted;
    this.points = [];
    this.at = null;
    this.root.classList.toggle("draws", mode !== "");
    this.loupe.hidden = true;
    this.render();
  }

  dropPoint() {
    if (!this.points.length) return false;
    this.points.pop();
    this.render();
    return true;
  }

  show(draft, grid) {
    this.draft = draft;
    this.grid = grid;
    this.render();
  }

  // One displayed pixel in the units of the drawing.
  get unit() {
    return this.width / (this.svg.clientWidth || this.width);
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    const clip = (value) => Math.min(1, Math.max(0, value));
    return [clip((event.clientX - box.left) / box.width), clip((event.clientY - box.top) / box.height)];
  }

  apart(a, b) {
    return Math.hypot((a[0] - b[0]) * this.width, (a[1] - b[1]) * this.height) / this.unit;
  }

  press(event) {
    if (event.button !== 0) return;
    if (this.mode) {
      this.put(this.place(event));
    } else if (event.target.classList.contains("handle")) {
      event.preventDefault();
      this.drag = event.target.point;
      this.hasMoved = false;
      this.svg.setPointerCapture(event.pointerId);
    }
  }

  put(point) {
    const canClose = this.wanted === 0 && this.points.length >= 3;
    if (canClose && this.apart(point, this.points[0]) < CLOSE_PX) return this.finish();
    if (this.points.some((each) => this.apart(each, point) < 2)) return;
    this.points.push(point);
    if (this.wanted && this.points.length === this.wanted) return this.finish();
    this.render();
  }

  finish() {
    if (this.points.length < (this.wanted || 3)) return;
    const { mode, points } = this;
    this.points = [];
    this.added(mode, points);
  }

  move(event) {
    const point = this.place(event);
    if (this.drag) {
      if (!this.hasMoved) this.grabbed();
      [this.drag[0], this.drag[1]] = point;
      this.hasMoved = true;
      this.render();
    } else if (!this.mode) {
      return;
    }
    this.at = point;
    this.magnify(point);
    if (this.mode) this.render();
  }

  release() {
    if (!this.drag) return;
    this.drag = null;
    this.at = null;
    this.loupe.hidden = true;
    if (this.hasMoved) this.moved();
  }

  key(event) {
    const step = (event.shiftKey ? 10 : 1);
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    const handle = event.target.classList.contains("handle") ? event.target : null;
    if (way && handle && !this.mode) {
      event.preventDefault();
      this.grabbed();
      this.shift(handle.point, way);
      const index = [...this.svg.querySelectorAll(".handle")].indexOf(handle);
      this.moved();
      this.svg.querySelectorAll(".handle")[index]?.focus();
    } else if (way && this.mode) {
      event.preventDefault();
      this.at = this.at || [0.5, 0.5];
      this.shift(this.at, way);
      this.magnify(this.at);
      this.render();
    } else if (event.key === " " && this.mode) {
      event.preventDefault();
      this.put([...(this.at || [0.5, 0.5])]);
    } else if (event.key === "Enter" && this.mode) {
      event.preventDefault();
      this.finish();
    } else if (event.key === "Backspace" && this.mode) {
      event.preventDefault();
      this.dropPoint();
    }
  }

  shift(point, [right, down]) {
    point[0] = Math.min(1, Math.max(0, point[0] + right / this.width));
    point[1] = Math.min(1, Math.max(0, point[1] + down / this.height));
  }

  magnify([x, y]) {
    const { loupe } = this;
    const ink = loupe.getContext("2d");
    const side = loupe.width / ZOOM;
    loupe.hidden = false;
    loupe.classList.toggle("aside", x > 0.5 && y > 0.5);
    ink.imageSmoothingEnabled = false;
    ink.fillRect(0, 0, loupe.width, loupe.height);
    ink.drawImage(this.image, x * this.width - side / 2, y * this.height - side / 2, side, side, 0, 0, loupe.width, loupe.height);
    ink.strokeStyle = "#ff4fd8";
    ink.beginPath();
    ink.moveTo(loupe.width / 2, 0);
    ink.lineTo(loupe.width / 2, loupe.height);
    ink.moveTo(0, loupe.height / 2);
    ink.lineTo(loupe.width, loupe.height / 2);
    ink.stroke();
  }

  path(points) {
    return points.map(([x, y]) => `${(x * this.width).toFixed(2)},${(y * this.height).toFixed(2)}`).join(" ");
  }

  text(content, [x, y], extra = {}) {
    return make("text", { x: x * this.width, y: y * this.height, "font-size": 14 * this.unit, ...extra }, content);
  }

  render() {
    if (!this.draft || !this.width) return;
    const parts = [...this.gridParts(), ...this.areaParts(), ...this.markingParts(), ...this.goingParts()];
    this.svg.replaceChildren(...parts);
  }

  gridParts() {
    const parts = [];
    for (const line of this.grid) {
      parts.push(make("polyline", { points: this.path(line.points), class: line.is_strong ? "grid strong" : "grid" }));
      const at = line.label && line.points.find(([x, y]) => x > 0.01 && x < 0.93 && y > 0.04 && y < 0.99);
      if (at) parts.push(this.text(line.label, at, { class: "grid-label" }));
    }
    return parts;
  }

  handles(points, name) {
    return points.map((point, index) => {
      const [cx, cy] = [point[0] * this.width, point[1] * this.height];
      const dot = make("circle", { cx, cy, r: 5.5 * this.unit, class: "handle", tabindex: 0, "aria-label": `${name}, point ${index + 1}` });
      dot.point = point;
      return dot;
    });
  }

  areaParts() {
    const { zones, lines, privacy } = this.draft;
    const parts = [];
    const middle = (points) => [0, 1].map((axis) => points.reduce((sum, each) => sum + each[axis], 0) / points.length);
    privacy.forEach((points, index) => {
      parts.push(make("polygon", { points: this.path(points), class: "privacy" }), ...this.handles(points, `privacy ${index + 1}`));
    });
    for (const [name, points] of Object.entries(zones)) {
      parts.push(make("polygon", { points: this.path(points), class: "zone" }));
      parts.push(this.text(name, middle(points), { "text-anchor": "middle" }), ...this.handles(points, `zone ${name}`));
    }
    for (const [name, points] of Object.entries(lines)) {
      parts.push(make("polyline", { points: this.path(points), class: "line" }));
      parts.push(this.text(name, [points[0][0], points[0][1] - 0.02]), ...this.handles(points, `line ${name}`));
    }
    return parts;
  }

  markingParts() {
    const parts = [];
    const half = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const metres = (size) => (size > 0 ? `${size} m` : "? m");
    this.draft.markings.forEach(({ kind, points, sizes }, index) => {
      const pairs = kind === "parallels" ? [points.slice(0, 2), points.slice(2)] : [points];
      for (const each of pairs) {
        parts.push(make(kind === "rectangle" ? "polygon" : "polyline", { points: this.path(each), class: "marking" }));
      }
      const labels = kind === "rectangle" ? [half(points[0], points[1]), half(points[1], points[2])]
        : [kind === "length" ? half(points[0], points[1]) : half(half(points[0], points[1]), half(points[2], points[3]))];
      labels.forEach((at, side) => parts.push(this.text(metres(sizes[side]), at, { "text-anchor": "middle" })));
      parts.push(...this.handles(points, `marking ${index + 1}`));
      if (kind === "rectangle") {
        points.forEach((point, corner) => parts.push(this.text(`${corner + 1}`, [point[0] + 0.01, point[1] - 0.01])));
      }
    });
    return parts;
  }

  goingParts() {
    if (!this.mode) return [];
    const parts = [];
    const line = this.at ? [...this.points, this.at] : this.points;
    const pairs = this.mode === "parallels" ? [line.slice(0, 2), line.slice(2)] : [line];
    for (const each of pairs) if (each.length > 1) parts.push(make("polyline", { points: this.path(each), class: "going" }));
    for (const [x, y] of this.points) {
      parts.push(make("circle", { cx: x * this.width, cy: y * this.height, r: 4 * this.unit, class: "handle" }));
    }
    if (this.at) {
      const [x, y, long] = [this.at[0] * this.width, this.at[1] * this.height, 9 * this.unit];
      parts.push(make("path", { d: `M${x - long} ${y}H${x + long}M${x} ${y - long}V${y + long}`, class: "cross" }));
    }
    return parts;
  }
}
