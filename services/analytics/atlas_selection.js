"use strict";
// Embedding Atlas tells of its selection as a condition of SQL on the table that this browser holds (`atlas.SEAM`); the
// table is asked here which films fulfil it.
{
  const {about, live} = document.getElementById("hilum-selection").dataset;
  let now = null;
  const rows = async (what) => {
    const {predicate, coordinator} = now;
    return coordinator.query(`SELECT ${what} FROM dataset WHERE ${predicate}`, {cache: false});
  };
  const ids = async () => [...(await rows("image_id")).getChild("image_id")].map(String);
  const tell = hilumSelection(document.getElementById("hilum-selection"), {
    ids, about, live: live === "1", nothing: "Nothing selected (shift + drag)",
  });
  addEventListener("hilum-selection", async ({detail}) => {
    const before = now;
    now = detail;
    if (before && before.predicate === detail.predicate) return;  // told again: what was said of it stands
    if (!detail.predicate) return tell(0);
    const found = await rows("COUNT(*)::INT AS films");
    if (now === detail) tell(found.getChild("films").get(0));
  });
}
