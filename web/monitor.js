/** The page of `suture monitor`. What it is told is written as text alone: names come from other programs. */

const EVERY_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 100;

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/** A table, or one soft line where there are no rows. A cell is a text, or an element. */
function table(titles, rows, nothing) {
  if (rows.length === 0) return element("p", nothing, "soft");
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const title of titles) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const cell of row) line.insertCell().append(cell);
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(made);
  return scroll;
}

const tone = (state) =>
  ["enabling", "disabling", "partly"].includes(state)
    ? "moving"
    : ["left-out", "not-loaded"].includes(state)
      ? "bad"
      : ["enabled", "live"].includes(state)
        ? "good"
        : "soft";

function liveRows(live) {
  return live.map(({ name, where, kind, state, forced, pids, holders }) => {
    const how = element("span", forced ? `${state}, forced` : state, tone(state));
    const held = element("div");
    if (kind === "program") held.append(pids.length === 1 ? `process ${pids[0]}` : `${pids.length} processes`);
    for (const holder of holders) held.append(element("div", `${holder.name} (${holder.tid}): ${holder.why}`));
    return [where, name, how, held];
  });
}

function installedRows(installed) {
  return installed.map(({ name, digest, target, state, atBoot, why }) => {
    const link = element("a", name);
    link.href = `#${digest}`;
    const what = target.kind === "kernel" ? `Linux ${target.release}` : target.of;
    const now = element("span", state.replace("-", " "), tone(state));
    return [link, what, now, atBoot ? "comes back after a reboot" : "does not come after a reboot", why ?? ""];
  });
}

/** One row for each fix that suture catch-up has found for what runs. */
function fixRows(fixes) {
  return fixes.flatMap(({ kind, name, from, without, each = [] }) => {
    const rest = kind === "kernel" ? "reboot" : "restart";
    const where = from === undefined || kind === "kernel" ? name : `${name} ${from}`;
    const missing = without.length === 0 ? "" : `not in ${without.join(", ")}`;
    return each.map((fix) => {
      const state = element("span", fix.live ? "live" : `waits for a ${rest}`, fix.live ? "good" : "moving");
      return [where, fix.name, state, fix.code ?? (fix.live ? "" : missing)];
    });
  });
}

const time = (at) => new Date(at).toLocaleString();

function historyRows(history) {
  return history.map(({ at, verb, patch, target, outcome, why, pids }) => {
    const said = element("span", outcome, outcome === "done" ? "good" : "bad");
    return [time(at), verb, patch, target + (pids.length === 0 ? "" : ` (${pids.join(", ")})`), said, why ?? ""];
  });
}

/** Those behind, over time. */
function picture({ name, where, direction, points, ended }) {
  const figure = element("figure");
  const most = Math.max(1, ...points.map(({ behind }) => behind));
  const [first] = points;
  const last = points.at(-1);
  const span = Math.max(1, last.at - first.at);
  const seconds = (span / 1000).toFixed(1);
  const end = ended === undefined ? `goes on, ${last.behind} behind` : `over after ${seconds} s`;
  figure.append(element("figcaption", `${name} in ${where}, ${direction}: ${end}`, ended ? "soft" : "moving"));
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  drawn.setAttribute("preserveAspectRatio", "none");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", `${most} behind at most, within ${seconds} seconds`);
  const ground = document.createElementNS(SVG, "line");
  for (const [key, value] of Object.entries({ x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }))
    ground.setAttribute(key, value);
  const line = document.createElementNS(SVG, "polyline");
  const at = (point) => `${((point.at - first.at) / span) * WIDTH},${HEIGHT - (point.behind / most) * (HEIGHT - 4)}`;
  line.setAttribute("points", points.map(at).join(" "));
  drawn.append(ground, line);
  figure.append(drawn);
  return figure;
}

function show({ status, transitions, history }) {
  byId("kernel").textContent = status.kernel;
  byId("live").replaceChildren(
    table(
      ["where", "livepatch", "state", ""],
      liveRows(status.live),
      "neither the kernel nor a process has a livepatch",
    ),
  );
  const { fixes = [] } = status;
  byId("fixes-part").hidden = fixes.length === 0;
  byId("fixes").replaceChildren(table(["where", "fix", "state", ""], fixRows(fixes), "there is no fix by name"));
  byId("transitions").replaceChildren(
    ...(transitions.length === 0
      ? [element("p", "none was seen since this page's server began", "soft")]
      : transitions.map(picture)),
  );
  const kept =
    status.installed === undefined
      ? element("p", status.unknown?.what ?? "known to root alone", "soft")
      : table(["livepatch", "for", "now", "reboot", ""], installedRows(status.installed), "nothing is installed");
  byId("installed").replaceChildren(kept);
  byId("history").replaceChildren(
    table(["when", "what", "livepatch", "where", "outcome", "why"], historyRows(history), "nothing was written down"),
  );
  const { harm } = status;
  say(
    harm === undefined ? "no harm is on record" : `last harm ${time(harm.at)}: ${harm.patch}: ${harm.why ?? ""}`,
    harm,
  );
}

function say(text, isBad) {
  const line = byId("state");
  line.textContent = text;
  line.className = isBad ? "bad" : "";
}

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error((await response.text()).trim());
  return await response.json();
}

async function explain() {
  const digest = location.hash.slice(1);
  byId("explained").hidden = digest === "";
  if (digest === "") return;
  byId("explained-title").textContent = "Explained";
  byId("diffs").replaceChildren();
  try {
    const { lines, diffs } = await get(`/livepatch/${digest}.json`);
    byId("explained-title").textContent = lines[0];
    byId("explanation").textContent = lines.slice(1).join("\n");
    byId("diffs").replaceChildren(...diffs.flatMap(diffPicture));
  } catch (error) {
    byId("explanation").textContent = error.message;
  }
}

function diffPicture(text) {
  const picture = element("pre");
  picture.append(...text.split("\n").map(diffLine));
  return [element("h3", "The diff that it was built from"), picture];
}

function diffLine(text) {
  const kinds = { "+": "good", "-": "bad", "@": "soft" };
  const isName = /^(---|\+\+\+|diff|index) /.test(text);
  return element("span", `${text}\n`, isName ? "soft" : kinds[text[0]]);
}

async function look() {
  try {
    show(await get("/monitor.json"));
  } catch (error) {
    say(`suture does not answer: ${error.message}`, true);
  }
  setTimeout(look, EVERY_MS);
}

addEventListener("hashchange", explain);
await explain();
await look();
