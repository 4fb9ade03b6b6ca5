// The sandbox's page: the state of everything by server-sent events, each device drawn from its lines.
import { Device } from "./device.js";
import { fill, words } from "./words.js";

const citizen = document.getElementById("citizen");
const devices = new Map(
  [...document.querySelectorAll(".device")].map((section) => [section.dataset.channel, new Device(section, send)]),
);
let status = null;
let known = new Set([...citizen.options].map((option) => option.value));
let awaited = false; // the story's citizen, to be shown once they are there

async function post(path, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  const headers = { "X-Sandbox-Token": document.body.dataset.token };
  const answer = await fetch(`/sandbox/${path}`, { method: "POST", body, headers });
  if (answer.ok) return;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error ? told.error.message : `HTTP ${answer.status}`);
}

function send(fields) {
  return post("messages", fields);
}

function act(button, work) {
  button.addEventListener("click", () => work().catch((error) => tell(error)));
}

function tell(error) {
  document.getElementById("lost").textContent = fill(words.failed, { reason: error.message });
}

const someoneWrites = () => status !== null && Object.values(status.channels).some((channel) => channel.crowd);

act(document.getElementById("play-story"), () => {
  awaited = true;
  return post("story", {});
});
act(document.getElementById("traffic"), () => post("crowds", { on: !someoneWrites() }));
act(document.getElementById("log-away"), () => post("log", { away: !status.log_away }));
for (const [channel, device] of devices) {
  for (const button of device.section.querySelectorAll("[data-trouble]")) {
    act(button, () => {
      const ends = status.channels[channel].trouble === button.dataset.trouble;
      device.look(ends ? words.healed : words.hints[button.dataset.trouble]);
      return post("troubles", { channel, trouble: ends ? "" : button.dataset.trouble });
    });
  }
  act(device.section.querySelector(".silence"), () => {
    const falls = status.channels[channel].crowd;
    device.look(falls ? words.silent_hint : "");
    return post("crowds", { channel, on: !falls });
  });
}

function choose() {
  const chosen = status?.citizens.find((one) => String(one.id) === citizen.value);
  for (const [channel, device] of devices) device.become(chosen?.addresses[channel] ?? "");
}
citizen.addEventListener("change", choose);

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

function showCitizens() {
  const ids = status.citizens.map((one) => String(one.id));
  for (const option of [...citizen.options]) if (!ids.includes(option.value)) option.remove();
  for (const one of status.citizens) {
    if (known.has(String(one.id))) continue;
    known.add(String(one.id));
    const where = Object.values(one.addresses).join(", ");
    citizen.append(new Option(`${words.citizen} ${one.id + 1}: ${where}`, String(one.id)));
    if (awaited) {
      awaited = false;
      citizen.value = String(one.id);
    }
  }
}

function showStory() {
  const { state, steps, reason } = status.story;
  const place = document.getElementById("story");
  document.getElementById("play-story").disabled = state === "playing";
  const list = place.querySelector("ol") ?? document.createElement("ol");
  if (!steps.length) list.replaceChildren();
  for (const step of steps.slice(list.children.length)) {
    const item = document.createElement("li");
    const heard = document.createElement("div");
    heard.className = "heard";
    heard.textContent = `← ${step.heard}`;
    item.append(words.story[step.name], heard);
    list.append(item);
  }
  const end = place.querySelector(".end") ?? document.createElement("p");
  end.className = "end";
  const said = { "": "", playing: words.story_playing, done: words.story_done, failed: fill(words.story_failed, { reason }) };
  end.textContent = said[state];
  if (state && !list.parentNode) place.append(list, end);
  place.hidden = !state;
  place.scrollTop = place.scrollHeight;
}

function show() {
  showCitizens();
  showStory();
  press(document.getElementById("traffic"), someoneWrites());
  press(document.getElementById("log-away"), status.log_away);
  for (const [channel, { trouble, crowd, crowd_written }] of Object.entries(status.channels)) {
    const { section } = devices.get(channel);
    for (const button of section.querySelectorAll("[data-trouble]")) press(button, button.dataset.trouble === trouble);
    const silence = section.querySelector(".silence");
    silence.disabled = !someoneWrites();
    press(silence, someoneWrites() && !crowd);
    section.querySelector(".crowd").textContent = crowd_written ? fill(words.crowd, { count: crowd_written }) : "";
    if (trouble) section.querySelector(".troubles").open = true;
  }
  choose();
}

const events = new EventSource("/sandbox/events");
const lost = document.getElementById("lost");
events.addEventListener("open", () => (lost.textContent = ""));
events.addEventListener("error", () => (lost.textContent = words.lost));
events.addEventListener("status", (event) => {
  const now = JSON.parse(event.data);
  // The gateway was started anew: its token, its citizens and its lines are others.
  if (status !== null && status.epoch !== now.epoch) location.reload();
  status = now;
  show();
});
events.addEventListener("message", (event) => {
  const line = JSON.parse(event.data);
  devices.get(line.channel)?.take(line);
});
