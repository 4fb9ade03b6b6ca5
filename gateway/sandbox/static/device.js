// One channel as the citizen who is chosen sees it: phone, timeline, chat or mailbox.
import { small } from "./photo.js";
import { fill, grouped, time, words } from "./words.js";

const THREADED = new Set(["timeline", "mailbox"]);

export class Device {
  constructor(section, send) {
    this.section = section;
    this.face = section.dataset.face;
    this.channel = section.dataset.channel;
    this.ours = section.querySelector(".ours").textContent;
    this.form = section.querySelector("form");
    this.said = section.querySelector(".said");
    this.send = send;
    this.me = null;
    this.lines = new Map();
    this.replyTo = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    section.querySelector(".cancel")?.addEventListener("click", () => this.reply(null));
    for (const view of section.querySelectorAll(".views input")) view.addEventListener("change", () => this.turn());
  }

  get private() {
    return this.section.querySelector(".views input:checked")?.value === "private";
  }

  // The chosen citizen, by their address here; none where they are not on this channel.
  become(address) {
    if (address === this.me) return;
    this.me = address;
    this.section.querySelector(".mine").textContent = address || words.not_here;
    for (const field of this.form.elements) field.disabled = !address;
    this.reply(null);
    this.redraw();
  }

  look(text) {
    this.section.querySelector(".look").textContent = text;
  }

  turn() {
    this.section.querySelector(".screen.public").hidden = this.private;
    this.section.querySelector(".screen.private").hidden = !this.private;
    this.reply(null);
  }

  reply(line) {
    this.replyTo = line;
    const place = this.section.querySelector(".replying");
    if (!place) return;
    place.hidden = line === null;
    place.querySelector(".to").textContent = line ? `${words.replying} ${line.text.slice(0, 60)}` : "";
    const fresh = this.form.querySelector(".new");
    if (fresh) fresh.hidden = line !== null;
    if (line) {
      this.form.elements.text.value = "";
      this.form.elements.text.focus();
    }
  }

  async submit(more = {}) {
    const { text, subject, photo } = this.form.elements;
    const fields = { channel: this.channel, from: this.me, text: text.value, private: this.private, ...more };
    const pressed = "press" in more;
    this.said.textContent = "";
    if (!pressed) {
      if (this.replyTo) fields.reply_to = this.replyTo.message;
      else if (subject) fields.subject = subject.value;
      if (photo?.files.length) {
        try {
          fields.photo = await small(photo.files[0]);
        } catch {
          this.said.textContent = words.too_large;
          return;
        }
      } else if (!text.value.trim()) return;
    }
    try {
      await this.send(fields);
    } catch (error) {
      this.said.textContent = fill(words.failed, { reason: error.message });
      return;
    }
    if (pressed) return;
    text.value = "";
    if (subject) subject.value = "";
    if (photo) photo.value = "";
    this.reply(null);
  }

  take(line) {
    this.lines.set(line.id, line);
    if (this.mine(line)) this.draw(line);
  }

  // Posts are for everyone; anything else is between one citizen and the gateway.
  mine(line) {
    return (this.face === "timeline" && !line.private) || line.address === this.me;
  }

  redraw() {
    for (const screen of this.section.querySelectorAll(".screen")) {
      // Another citizen's old messages are no news to be read out.
      screen.setAttribute("aria-live", "off");
      screen.querySelector("ol").replaceChildren();
      requestAnimationFrame(() => screen.removeAttribute("aria-live"));
    }
    const lines = [...this.lines.values()].sort((one, other) => one.id - other.id);
    for (const line of lines) if (this.mine(line)) this.draw(line);
    for (const list of this.section.querySelectorAll(".screen ol")) {
      if (!list.children.length) this.place(list, element("li", "empty", words.empty));
    }
  }

  place(list, item) {
    list.querySelector(":scope > .empty")?.remove();
    list.append(item);
  }

  draw(line) {
    const id = `line-${line.id}`;
    const there = document.getElementById(id);
    const item = element("li", `line ${line.who} ${line.state}`);
    item.id = id;
    item.append(...this.content(line));
    const screen = this.section.querySelector(line.private ? ".screen.private" : ".screen");
    if (there) {
      const low = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 8;
      const answers = there.querySelector(":scope > ol");
      if (answers) item.append(answers);
      there.replaceWith(item);
      // What has grown at the end stays in sight.
      if (low) screen.scrollTop = screen.scrollHeight;
      return;
    }
    const above = THREADED.has(this.face) && this.above(line);
    const list = above ? this.answers(above) : screen.querySelector("ol");
    this.place(list, item);
    // Only the device's screen moves, never the page under somebody's fingers.
    screen.scrollTop += Math.max(0, item.getBoundingClientRect().bottom - screen.getBoundingClientRect().bottom + 8);
  }

  // The first message of the thread, where this one answers another.
  above(line) {
    const answered = line.reply_to && [...this.lines.values()].find((one) => one.message === line.reply_to);
    if (!answered || answered === line) return null;
    return this.above(answered) ?? document.getElementById(`line-${answered.id}`);
  }

  answers(item) {
    const there = item.querySelector(":scope > ol");
    if (there) return there;
    const made = document.createElement("ol");
    item.append(made);
    return made;
  }

  content(line) {
    const found = [];
    const who = line.who === "gateway" ? this.ours : this.face === "timeline" ? `@${line.address}` : words.you;
    found.push(element("div", "name", who));
    if (this.face === "mailbox" && !line.reply_to) found.push(element("div", "about", line.subject || words.no_subject));
    else if (line.subject) found.push(element("div", "about", line.subject));
    if (line.photo) {
      const photo = document.createElement("img");
      photo.src = `/sandbox/photos/${line.photo}`;
      photo.alt = words.photo;
      found.push(photo);
    }
    if (line.text) found.push(element("div", "text", line.text));
    if (line.buttons.length) found.push(this.keys(line));
    found.push(this.meta(line));
    return found;
  }

  keys(line) {
    const keys = element("div", "keys");
    for (const { label, data } of line.buttons) {
      const key = element("button", "key", label);
      key.type = "button";
      key.addEventListener("click", () => this.submit({ press: data, reply_to: line.message, text: label }));
      keys.append(key);
    }
    return keys;
  }

  meta(line) {
    const meta = element("div", "meta", "");
    const at = element("time", "", time(line.at));
    at.dateTime = line.at;
    meta.append(at);
    if (line.who === "citizen") meta.append(element("span", "state", standing(line)));
    const link = document.createElement("a");
    link.href = line.case ? `/ops/cases/${line.case}` : `/ops/channels/${encodeURIComponent(line.channel)}`;
    link.textContent = line.case ? fill(words.case, { number: grouped(line.case) }) : fill(words.channel, { name: line.channel });
    meta.append(link);
    if (THREADED.has(this.face) && !line.private && line.message) {
      const button = element("button", "quiet", words.reply);
      button.type = "button";
      button.addEventListener("click", () => this.reply(line));
      meta.append(button);
    }
    return meta;
  }
}

// How a citizen's message stands.
function standing({ state, status }) {
  if (state === "waiting") return status ? `${words.waiting}: ${fill(words.again, { status })}` : words.waiting;
  if (state === "refused") return status ? fill(words.refused_status, { status }) : words.refused;
  return words.taken;
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
