// What all pages share. Without it every page still works: it is only less live.
"use strict";

(() => {
  // Live regions: [data-live="URL"] is a stream of events, each named after an element's id inside of it and holding
  // the HTML that the element is to contain. The event "over" says that the session has ended.
  const state = document.getElementById("live-state");
  const say = (text) => { if (state && state.textContent !== text) state.textContent = text; };

  function swap(element, html) {
    if (element.querySelector("[data-held]")) return;
    const focused = element.contains(document.activeElement) ? mark(document.activeElement, element) : null;
    const open = new Set([...element.querySelectorAll("details[open][id]")].map((each) => each.id));
    element.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    focused?.().focus({ preventScroll: true });
  }

  // How to find what had the focus after its surroundings have been replaced: by id, by link, else the region itself.
  function mark(element, region) {
    const { id } = element;
    const href = element.getAttribute("href");
    return () => {
      const again = (id && document.getElementById(id)) || (href && region.querySelector(`[href="${CSS.escape(href)}"]`));
      if (again) return again;
      region.tabIndex = -1;
      return region;
    };
  }

  function follow(root) {
    let source = null;
    let heard = null;
    let timer = 0;

    const listen = () => {
      for (const { id } of [root, ...root.querySelectorAll("[id]")]) {
        if (!id || heard.has(id)) continue;
        heard.add(id);
        source.addEventListener(id, (event) => {
          const element = document.getElementById(id);
          if (element) { swap(element, event.data); listen(); }
        });
      }
    };
    const close = () => { clearTimeout(timer); source?.close(); source = null; };
    const over = () => { close(); say(state?.dataset.over ?? ""); };
    const open = () => {
      close();
      source = new EventSource(root.dataset.live);
      heard = new Set(["over"]);
      listen();
      source.addEventListener("open", () => say(""));
      source.addEventListener("over", over);
      source.addEventListener("error", async () => {
        say(state?.dataset.lost ?? "");
        // The browser tries again by itself, unless it was answered: by us that the session is over, or by a proxy.
        if (source?.readyState !== EventSource.CLOSED) return;
        close();
        const answer = await fetch("/ops/session", { headers: { Accept: "text/event-stream" } }).catch(() => null);
        if (answer?.status === 401) over();
        else timer = setTimeout(open, 5000);
      });
    };
    // A page that nobody sees needs no connection, and a browser has few of them.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    if (!document.hidden) open();
  }

  for (const root of document.querySelectorAll("[data-live]")) follow(root);
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // A region in which somebody types stays as it is until the page is left.
  document.addEventListener("input", (event) => { event.target.dataset.held = ""; });

  // [data-confirm="question"] on a form or a button: asked before it is sent. No form is sent twice by a double click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !window.confirm(question)) { event.preventDefault(); return; }
    if (form.dataset.sent !== undefined) { event.preventDefault(); return; }
    form.dataset.sent = "";
    setTimeout(() => delete form.dataset.sent, 4000);
  });

  // The account's menu closes by Escape and by a click beside it.
  const menu = document.querySelector("details.account");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu?.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => { if (menu?.open && !menu.contains(event.target)) menu.open = false; });
})();
