// Figures with their intervals, one below the other, on one scale from 0 to 1.

const SPACE = "http://www.w3.org/2000/svg";
const [LEFT, WIDE, ROW, TOP] = [230, 470, 26, 12];

export const told = (figure) => (figure?.value === undefined ? "–"
  : figure.value.toFixed(2) + (figure.low === undefined ? "" : ` [${figure.low.toFixed(2)}, ${figure.high.toFixed(2)}]`));

function part(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// rows: [name, figure].  chance: where a dashed line stands.
export function forest(rows, chance, axis) {
  const x = (value) => LEFT + WIDE * Math.min(1, Math.max(0, value));
  const bottom = TOP + ROW * rows.length;
  const whole = part("svg", { class: "forest", viewBox: `0 0 ${LEFT + WIDE + 40} ${bottom + 44}`, role: "img", "aria-label": axis });
  whole.append(part("line", { x1: LEFT, x2: LEFT + WIDE, y1: bottom, y2: bottom }), part("line", { class: "chance", x1: x(chance), x2: x(chance), y1: TOP, y2: bottom }));
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) whole.append(part("text", { class: "axis", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, `${100 * tick} %`));
  whole.append(part("text", { class: "axis", x: LEFT, y: bottom + 36 }, axis));
  rows.forEach(([name, figure], n) => {
    const y = TOP + ROW * (n + 0.5);
    whole.append(part("text", { x: LEFT - 12, y: y + 4, "text-anchor": "end" }, name.length > 34 ? `${name.slice(0, 33)}…` : name));
    if (figure.low !== undefined) whole.append(part("line", { class: "span", x1: x(figure.low), x2: x(figure.high), y1: y, y2: y }));
    whole.append(part("circle", { cx: x(figure.value), cy: y, r: 5 }));
    whole.append(part("text", { class: "axis", x: LEFT + WIDE + 6, y: y + 4 }, figure.value.toFixed(2)));
  });
  return whole;
}
