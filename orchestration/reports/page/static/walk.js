// Walks along columns: what one comes from, and what comes from it. As core/lineage/walk.py and kinds.py say it.

const DIRECT = ["IDENTITY", "TRANSFORMATION", "AGGREGATION"]; // from the weakest to the strongest

export function isDirect(kind) {
  return DIRECT.includes(kind);
}

function along(first, then) {
  if (!isDirect(then)) return then;
  if (!isDirect(first)) return first;
  return DIRECT[Math.max(DIRECT.indexOf(first), DIRECT.indexOf(then))];
}

// The columns of all assets: name → {above: [[of, column, kind]], below: the same, unknown: what of its
// plan could not be read}, by asset or source.
export function columnGraph(assets, sources) {
  const graph = new Map();
  const at = (of, column) => {
    if (!graph.has(of)) graph.set(of, new Map());
    const columns = graph.get(of);
    if (!columns.has(column)) columns.set(column, { above: [], below: [], unknown: [] });
    return columns.get(column);
  };
  for (const [name, columns] of Object.entries(sources)) for (const column of columns) at(name, column);
  for (const asset of assets) {
    for (const [column, , , , , edges, unknown] of asset.columns) {
      const here = at(asset.key, column);
      here.unknown = unknown;
      for (const [of, from, kind] of edges) {
        here.above.push([of, from, kind]);
        at(of, from).below.push([asset.key, column, kind]);
      }
    }
  }
  return graph;
}

// All that is reached from a column: Map of asset → Map of column → its kinds over the whole path, each once.
// way: "above" or "below". joins: a Set that gets `from to` of every pair of assets that an edge on the way joins.
export function walked(graph, of, column, way, joins) {
  const found = new Map();
  const waiting = [[of, column, "IDENTITY"]];
  const seen = new Set();
  while (waiting.length) {
    const [here, name, path] = waiting.shift();
    const columns = graph.get(here);
    for (const [there, next, kind] of (columns && columns.get(name) ? columns.get(name)[way] : [])) {
      const together = way === "above" ? along(kind, path) : along(path, kind);
      joins.add(way === "above" ? `${there} ${here}` : `${here} ${there}`);
      const id = `${there} ${next} ${together}`;
      if (seen.has(id)) continue;
      seen.add(id);
      waiting.push([there, next, together]);
      if (there === of && next === column) continue;
      if (!found.has(there)) found.set(there, new Map());
      const kinds = found.get(there);
      if (!kinds.has(next)) kinds.set(next, new Set());
      kinds.get(next).add(together);
    }
  }
  return found;
}
