// Arrow keys move over tiles as they lie on the screen, whatever rows and groups they stand in.

const middle = (box) => box.left + box.width / 2;

// The nearest tile of the nearest row below or above.
function across(tiles, from, down) {
  const own = from.getBoundingClientRect();
  const boxes = tiles.map((tile) => [tile, tile.getBoundingClientRect()]);
  const further = boxes.filter(([, box]) => (down ? box.top > own.top + 1 : box.top < own.top - 1));
  const tops = further.map(([, box]) => box.top);
  const row = down ? Math.min(...tops) : Math.max(...tops);
  const near = further.filter(([, box]) => Math.abs(box.top - row) < 2);
  near.sort(([, a], [, b]) => Math.abs(middle(a) - middle(own)) - Math.abs(middle(b) - middle(own)));
  return near[0]?.[0];
}

// True when the key was ours.
export function walk(place, event) {
  const tiles = [...place.querySelectorAll(".card")];
  const at = tiles.indexOf(document.activeElement);
  if (!tiles.length || (at === -1 && !event.key.startsWith("Arrow"))) return false;
  let to;
  if (at === -1) to = tiles[0];
  else if (event.key === "ArrowRight") to = tiles[at + 1];
  else if (event.key === "ArrowLeft") to = tiles[at - 1];
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") to = across(tiles, tiles[at], event.key === "ArrowDown");
  else if (event.key === "Home") to = tiles[0];
  else if (event.key === "End") to = tiles.at(-1);
  else return false;
  if (!to) return event.key === "ArrowLeft" || event.key === "ArrowRight";
  to.focus();
  to.scrollIntoView({ block: "nearest" });
  return true;
}
