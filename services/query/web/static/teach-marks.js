// Marks on a film as SVG that lies over it, in units of the film's pixels: amber over a dark edge is seen on black lungs
// and on white bones. The same shapes as in exports.

const SPACE = "http://www.w3.org/2000/svg";
const HEAD = 0.035, LETTER = 0.034; // of the film's width

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const list = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

// The lines of one mark: [element's name, attributes], and where its words stand.
function lines({ kind, points, radius }, width, height) {
  const at = points.map(({ x, y }) => [x * width, y * height]);
  const [first, second = first] = at;
  if (kind === "arrow") {
    const angle = Math.atan2(second[1] - first[1], second[0] - first[0]), long = HEAD * width;
    const base = [second[0] - long * Math.cos(angle), second[1] - long * Math.sin(angle)];
    const [dx, dy] = [-Math.sin(angle) * long * 0.45, Math.cos(angle) * long * 0.45];
    return { drawn: [["polyline", { points: list([first, base]) }], ["polygon", { points: list([second, [base[0] + dx, base[1] + dy], [base[0] - dx, base[1] - dy]]), class: "filled" }]], label: first };
  }
  if (kind === "circle") {
    const r = radius * width;
    return { drawn: [["circle", { cx: first[0], cy: first[1], r }]], label: [first[0] - r, first[1] - r] };
  }
  if (kind === "rectangle") {
    const [x, y] = [Math.min(first[0], second[0]), Math.min(first[1], second[1])];
    return { drawn: [["rect", { x, y, width: Math.abs(first[0] - second[0]), height: Math.abs(first[1] - second[1]) }]], label: [x, y] };
  }
  if (kind === "polygon") return { drawn: [["polygon", { points: list(at) }]], label: at.reduce((top, one) => (one[1] < top[1] ? one : top)) };
  return { drawn: [], label: first };
}

// Words as far inside the film as words of this length must be.
function letters(text, [x, y], width, height) {
  const size = LETTER * width, long = Math.min(text.length * size * 0.6, width);
  return svg("text", {
    x: Math.min(Math.max(x, size * 0.2), Math.max(width - long, 0)), y: Math.min(Math.max(y - size * 0.4, size), height - size * 0.3),
    "font-size": size,
  }, text);
}

// One group for each mark, of class mark, data-n its place. chosen: the place of the one that is edited.
export function drawing(marks, width, height, chosen = -1) {
  return marks.map((mark, n) => {
    const { drawn, label } = lines(mark, width, height);
    const made = (which) => drawn.map(([name, attributes]) => svg(name, { ...attributes, class: `${which} ${attributes.class ?? ""}` }));
    return svg("g", { class: `mark${n === chosen ? " chosen" : ""}`, "data-n": n }, ...made("grip"), ...made("shade"), ...made("face"), ...(mark.text ? [letters(mark.text, label, width, height)] : []));
  });
}
