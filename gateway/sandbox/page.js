// The sandbox's phone: sends the form, shows every line as it comes.
"use strict";
const lines = document.getElementById("lines");
const form = document.getElementById("phone");
const said = document.getElementById("said");
const clock = new Intl.DateTimeFormat("id", { timeStyle: "medium", timeZone: lines.dataset.zone });

new EventSource("/sandbox/lines").onmessage = (event) => {
  const line = JSON.parse(event.data);
  const item = document.createElement("li");
  item.className = line.who;
  item.dataset.channel = line.channel;
  const meta = document.createElement("small");
  const who = line.who === "citizen" ? line.address : `${line.channel} → ${line.address}`;
  meta.textContent = `${who} · ${clock.format(new Date(line.at))}`;
  item.append(meta, line.text);
  lines.append(item);
  lines.scrollTop = lines.scrollHeight;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) said.textContent = body.error ? body.error.message : `HTTP ${answer.status}`;
  else if (body.status >= 300) said.textContent = `HTTP ${body.status}`;
  else form.elements.text.value = "";
});
