// The sandbox's channels: each sends its own form, and shows every line of its conversation as it comes.
"use strict";
const clock = new Intl.DateTimeFormat("id", {
  timeStyle: "medium",
  timeZone: document.getElementById("channels").dataset.zone,
});
const sections = new Map([...document.querySelectorAll(".channel")].map((one) => [one.dataset.channel, one]));

new EventSource("/sandbox/lines").onmessage = (event) => {
  const line = JSON.parse(event.data);
  const list = sections.get(line.channel)?.querySelector("ol");
  if (!list) return;
  const item = document.createElement("li");
  item.className = line.who;
  const meta = document.createElement("small");
  const who = line.who === "citizen" ? line.address : `→ ${line.address}`;
  meta.textContent = `${who} · ${clock.format(new Date(line.at))}`;
  item.append(meta, line.text);
  list.append(item);
  list.scrollTop = list.scrollHeight;
};

for (const section of sections.values()) {
  const form = section.querySelector("form");
  const said = section.querySelector(".said");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) said.textContent = body.error ? body.error.message : `HTTP ${answer.status}`;
    else if (body.status >= 300) said.textContent = `HTTP ${body.status}`;
    else form.elements.text.value = "";
  });
}
