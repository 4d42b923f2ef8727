// Takes the main part of a live page anew every two seconds, so that scrolling, selection, focus, opened parts and
// what was typed stay. Without it the page is complete, and is loaded anew by the browser.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const lost = document.getElementById("lost");
  const heard = document.getElementById("heard");
  let title = document.title;

  const isAtWork = () => {
    const selection = getSelection();
    if (!selection.isCollapsed && main.contains(selection.anchorNode)) return true;
    const focus = document.activeElement;
    return main.contains(focus) && focus.matches("input, select, textarea");
  };

  // A place by which an element is found again: its id, or its address and how many before it have the same.
  const placeOf = (element) => {
    if (!element || element === main || !main.contains(element)) return null;
    if (element.id) return () => document.getElementById(element.id);
    const alike = (all) => [...all].filter((one) => one.outerHTML === element.outerHTML);
    const nth = alike(main.querySelectorAll(element.tagName)).indexOf(element);
    return () => alike(main.querySelectorAll(element.tagName))[nth];
  };

  const show = (page) => {
    if (isAtWork()) return;
    const open = new Set([...main.querySelectorAll("details[open]")].map((part) => part.id));
    const find = placeOf(document.activeElement);
    const { scrollX, scrollY } = window;
    main.replaceChildren(...page.querySelector("main").childNodes);
    for (const part of main.querySelectorAll("details[id]")) part.open = open.has(part.id);
    find?.()?.focus({ preventScroll: true });
    if (window.scrollX !== scrollX || window.scrollY !== scrollY) window.scrollTo(scrollX, scrollY);
  };

  const refresh = async () => {
    try {
      if (!document.hidden) {
        const headers = { accept: "text/html" };
        const reply = await fetch("", { headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
        if (!reply.ok) throw new Error("status " + reply.status);
        const page = new DOMParser().parseFromString(await reply.text(), "text/html");
        show(page);
        if (title !== page.title) heard.textContent = page.title;
        document.title = title = page.title;
        document.body.classList.remove("lost");
        lost.hidden = true;
      }
    } catch {
      if (lost.hidden) {
        lost.textContent = "✕ Talon has not answered since " + new Date().toISOString().slice(11, 19) +
          " UTC. What is below is old.";
        lost.hidden = false;
        document.body.classList.add("lost");
        document.title = "No answer · Talon";
      }
    }
    setTimeout(refresh, 2000);
  };
  setTimeout(refresh, 2000);
})();
