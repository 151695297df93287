// The page of `graft explore`. Whatever comes from the pool is put in as text, never as markup.
"use strict";

const at = (id) => document.getElementById(id);
const filter = at("filter"), list = at("names");
// Nothing is chosen by Enter alone: of an empty filter no class is active.
let scene = null, options = [], active = -1, isSending = false;

// Classes that are called by digits have these as keys; where only some begin with one, digits are letters like others.
const isDigit = (one) => /^[0-9]$/.test(one.name);
function keys() {
  if (scene.names.length && scene.names.every(isDigit)) return scene.names.map((one) => one.name);
  return scene.names.some((one) => /^[0-9]/.test(one.name)) ? [] : ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
}

const percent = (share) => `${(100 * share).toFixed(1)}%`;

async function follow() {
  for (;;) {
    try {
      const answer = await fetch(`/scene?after=${scene ? scene.version : ""}`);
      if (answer.status === 401) { warn("This session is over: open the address that graft explore has printed."); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
      if (scene.end) return;
    } catch (error) {
      if (scene && scene.end) return;
      warn("graft explore does not answer. Every answer that was taken is kept; the same command goes on.");
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
}

function warn(text) {
  at("banner").textContent = text;
  at("banner").hidden = !text;
}

function show(found) {
  if (scene && found.version < scene.version) return;
  const isNew = !scene || found.number !== scene.number || Boolean(found.sample) !== Boolean(scene.sample);
  scene = found;
  warn("");
  document.title = `${found.title} – graft explore`;
  at("title").textContent = found.title;
  at("required").textContent = `required: ${found.required.told}`;
  at("seen").textContent = `seen by ${found.seen_by}`;
  known(found);
  at("back").disabled = !found.last;
  at("back").title = found.last ? `the answer about ${found.last}` : "nothing that may be taken back";
  if (found.end) { over(found.end); return; }
  if (isNew) ask(found);
  draw();
}

function known(found) {
  const has = found.estimate !== null;
  for (const id of ["band", "dot"]) at(id).style.display = has ? "block" : "none";
  at("goal").style.display = "block";
  at("goal").style.left = percent(found.required.share);
  if (has) {
    const [low, high] = found.interval;
    at("band").style.left = percent(low);
    at("band").style.width = percent(high - low);
    at("dot").style.left = percent(found.estimate);
    const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
    const short = found.expected > found.left ? ", but there are not so many left" : "";
    const more = found.expected ? `; about ${found.expected} audit labels more would show it${short}` : "";
    at("known").textContent = `accuracy about ${found.estimate.toFixed(2)} (${range})${more}`;
  } else {
    at("known").textContent = "nothing is known of the accuracy yet";
  }
  at("spent").style.width = percent(Math.min(found.labels / found.budget, 1));
  at("labels").textContent = `${found.labels} of ${found.budget} labels, ${found.audit_labels} counted for the audit`;
}

function ask(found) {
  const stage = at("stage");
  stage.replaceChildren();
  stage.setAttribute("aria-busy", String(!found.sample));
  at("name").textContent = found.sample || "";
  at("why").textContent = found.sample ? found.why : "looking for the next one …";
  filter.value = "";
  active = -1;
  if (found.sample) {
    load(found.number, found.sample);
    if (!document.activeElement || document.activeElement.tagName !== "BUTTON") filter.focus();
  }
}

async function load(number, name) {
  const answer = await fetch(`/sample/${number}`);
  const type = answer.headers.get("Content-Type") || "";
  if (answer.ok && !type.startsWith("text/plain")) {
    const picture = new Image();
    picture.alt = `sample ${name}`;
    picture.onload = () => picture.classList.toggle("tiny", picture.naturalWidth < 160);
    picture.src = `/sample/${number}`;
    if (scene.number === number) at("stage").replaceChildren(picture);
    return;
  }
  const text = document.createElement("pre");
  text.textContent = await answer.text();
  text.dir = "auto";
  text.tabIndex = 0;
  if (scene.number === number) at("stage").replaceChildren(text);
}

function over(told) {
  document.body.classList.add("over");
  const text = document.createElement("p");
  text.className = "end";
  text.textContent = told;
  at("stage").replaceChildren(text);
  at("stage").setAttribute("aria-busy", "false");
  at("name").textContent = "";
  at("why").textContent = "This page can be closed.";
  say(told);
}

function say(text) { at("said").textContent = text; }

function found(text) {
  const wanted = text.trim().toLowerCase();
  const all = scene.names.map((one) => ({ ...one, isNew: false }));
  if (!wanted) return all;
  const exact = all.filter((one) => one.name.toLowerCase() === wanted);
  const begins = all.filter((one) => one.name.toLowerCase().startsWith(wanted) && !exact.includes(one));
  const holds = all.filter((one) => one.name.toLowerCase().includes(wanted) && !exact.includes(one) && !begins.includes(one));
  const is = scene.names.some((one) => one.name === text.trim());
  return [...exact, ...begins, ...holds, ...(is ? [] : [{ name: text.trim(), shown: text.trim(), isNew: true }])];
}

function draw() {
  options = found(filter.value);
  active = Math.min(active, options.length - 1);
  const shown = filter.value ? [] : keys();
  list.replaceChildren(...options.map((one, place) => item(one, place, shown[place] || "")));
  if (!options.length) {
    const none = document.createElement("li");
    none.className = "none";
    none.textContent = "No class has been named yet: type a name, then Enter.";
    list.append(none);
  }
  filter.setAttribute("aria-activedescendant", active < 0 ? "" : `name-${active}`);
  const chosen = at(`name-${active}`);
  if (chosen) chosen.scrollIntoView({ block: "nearest" });
}

function item(one, place, shortcut) {
  const line = document.createElement("li");
  line.id = `name-${place}`;
  line.setAttribute("role", "option");
  line.setAttribute("aria-selected", String(place === active));
  const key = document.createElement(shortcut ? "kbd" : "span");
  key.className = "key";
  key.textContent = one.isNew ? "new" : shortcut;
  const name = document.createElement("bdi");
  name.textContent = one.shown;
  line.append(key, name);
  line.addEventListener("click", () => give(one));
  return line;
}

const give = (one) => send({ label: one.name }, `${scene.sample}: ${one.shown}`);
const skip = () => send({ do: "skip" }, `${scene.sample}: cannot be told`);
const back = () => { if (scene.last) send({ do: "take_back" }, `taken back: ${scene.last}`); else say("There is no answer that may be taken back: those of the audit stand once they are counted."); };
const stop = () => send({ do: "stop" }, "stopped for now");

async function send(what, told) {
  if (isSending || !scene || !scene.sample) return;
  isSending = true;
  try {
    const answer = await fetch("/answers", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ question: scene.number, ...what }),
    });
    if (answer.status === 400) { say(await answer.text()); return; }
    if (answer.status === 409) say("This question has been answered already, in another window.");
    else if (answer.ok) say(told);
    else throw new Error(String(answer.status));
    show(await answer.json());
  } catch (error) {
    warn("graft explore does not answer, so this answer was not taken. The same command goes on.");
  } finally {
    isSending = false;
  }
}

function move(step) {
  active = Math.min(Math.max(active + step, 0), options.length - 1);
  draw();
}

function scroll(direction) {
  const text = at("stage").querySelector("pre");
  if (text) text.scrollBy({ top: direction * text.clientHeight * 0.9 });
}

const ACTIONS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => scroll(1),
  PageUp: () => scroll(-1),
  Escape: () => { filter.value = ""; active = -1; draw(); },
  Enter: () => { if (options[active]) give(options[active]); },
};

document.addEventListener("keydown", (event) => {
  if (!scene || scene.end || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const isButton = event.target.tagName === "BUTTON";
  if (isButton && (event.key === "Enter" || event.key === " " || event.key === "Tab")) return;
  if (event.repeat && !event.key.startsWith("Arrow") && !event.key.startsWith("Page") && filter.value === "") { event.preventDefault(); return; }
  const isEmpty = !filter.value;
  const named = isEmpty ? options[keys().indexOf(event.key)] : null;
  if (named) { event.preventDefault(); give(named); return; }
  if (isEmpty && event.key === "?") { event.preventDefault(); skip(); return; }
  if (isEmpty && event.key === "Backspace") { event.preventDefault(); back(); return; }
  if (ACTIONS[event.key]) { event.preventDefault(); ACTIONS[event.key](); return; }
  if (event.key.length === 1 && event.target !== filter) filter.focus();
});
filter.addEventListener("input", () => { active = filter.value.trim() ? 0 : -1; draw(); });
at("skip").addEventListener("click", () => { skip(); filter.focus(); });
at("back").addEventListener("click", () => { back(); filter.focus(); });
at("stop").addEventListener("click", stop);
follow();
