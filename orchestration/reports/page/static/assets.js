// The page "Assets".
import { el } from "./dom.js";

export function draw(root, facts, app) {
  root.append(el("p", { class: "dim" }, "Not yet."));
  return { show(path) {} };
}
