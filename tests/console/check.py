"""What holds of the console in a real browser. Arguments: Chromium, the console's address, a folder for pictures."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

from chromium import Chromium

BINARY, ADDRESS, PICTURES = sys.argv[1], sys.argv[2].rstrip("/"), sys.argv[3]
LONG = "a-connector-with-a-name-that-is-far-longer-than-anybody-would-choose-but-somebody-did"
failed = []


def rest(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ADDRESS + path, data, method=method,
                                     headers={"content-type": "application/json",
                                              "accept": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def make(name, state, **settings):
    config = {"connector.class": "contractor", "upstream.url": "http://127.0.0.1:9",
              "time.zone": "UTC", "auth.external.token": "${env:PATH}", **settings}
    rest("POST", "/connectors", {"name": name, "initial_state": state, "config": config})


def check(what, holds):
    print(("ok    " if holds else "FAILED"), what)
    if not holds:
        failed.append(what)


# In the page: what a check of accessibility looks at.
FINDINGS = r"""(() => {
  const found = [];
  const seen = (e) => e.checkVisibility() && e.getClientRects().length;
  if (document.querySelectorAll("h1").length !== 1) found.push("h1");
  for (const part of ["main", "nav", "header", "footer"])
    if (!document.querySelector(part)) found.push("no " + part);
  let level = 1;
  for (const h of document.querySelectorAll("h1,h2,h3,h4")) {
    const next = Number(h.tagName[1]);
    if (next > level + 1) found.push("heading skips a level: " + h.textContent);
    level = next;
  }
  for (const t of document.querySelectorAll("table")) if (!t.caption) found.push("table without caption");
  for (const th of document.querySelectorAll("th")) if (!th.scope) found.push("th without scope");
  for (const i of document.querySelectorAll("input:not([type=hidden]),select"))
    if (!i.labels.length) found.push("no label: " + i.name);
  for (const a of document.querySelectorAll("a,button"))
    if (!a.textContent.trim()) found.push("no name: " + a.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push("id twice: " + id);
  const light = (c) => {
    const parts = c.match(/[\d.]+/g).map(Number).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\)$|transparent/.test(c)) return c;
    }
    return "rgb(255,255,255)";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !seen(e) || e.closest(".skip,.heard,option,noscript")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push("contrast: " + n.textContent.trim().slice(0, 40));
  }
  if (document.documentElement.scrollWidth > innerWidth)
    found.push("wider than the window: " + document.documentElement.scrollWidth);
  return [...new Set(found)].slice(0, 5);
})()"""


def prepare():
    """A connector that is paused, one that cannot be made, one that is down, one with a long name, and 200 more."""
    make("paused", "PAUSED")
    make("broken", "RUNNING", **{"auth.external.token": "${env:TALON_IS_NOT_SET_ANYWHERE}"})
    make("down", "RUNNING")
    make(LONG, "PAUSED")
    for number in range(200):
        make(f"many-{number:03}", "STOPPED" if number % 3 else "PAUSED")
    end = time.monotonic() + 60
    while rest("GET", "/connectors/broken/status")["connector"]["state"] != "FAILED":
        assert time.monotonic() < end, "`broken` does not fail"
        time.sleep(0.2)


def pages(browser):
    """Every page, in the light and in the dark, wide and narrow."""
    key = entity(browser)
    for name, path in [
        ("overview", "/"), ("overview-failed", "/?state=FAILED"), ("overview-page-3", "/?page=3"),
        ("connector", "/console/connector?name=field-service"),
        ("connector-broken", "/console/connector?name=broken"),
        ("connector-long", f"/console/connector?name={LONG}"),
        ("commands", "/console/commands?connector=field-service"),
        ("entity", f"/console/entity?connector=field-service&feed=call&key={key}"),
        ("entity-none", "/console/entity?connector=field-service&feed=call&key=none"),
        ("runbook", "/console/runbook"),
    ]:
        for width, scheme in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]:
            browser.look(width, scheme)
            browser.go(ADDRESS + path)
            found = browser.value(FINDINGS) + browser.complaints()
            check(f"{name}, {width} wide, {scheme}: {found or 'nothing found'}", not found)
            if (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light")]:
                browser.picture(os.path.join(PICTURES, f"{name}-{width}-{scheme}.png"))


def entity(browser):
    """The key of an entity that has changed, as the last events say."""
    browser.look(1280, "light")
    browser.go(ADDRESS + "/")
    last = "[...document.querySelectorAll('.recent li')].map((l) => l.textContent)"
    changed = f"({last}).map((l) => /^u field-service\\.call +(\\S+)/.exec(l)).filter(Boolean).map((m) => m[1])[0]"
    browser.until(f"Boolean({changed})", "no call changes")
    return browser.value(changed)


def keyboard(browser):
    browser.look(1280, "light")
    browser.go(ADDRESS + "/")
    browser.key("Tab")
    check("the first thing that the keyboard comes to leads to the content",
          browser.value("document.activeElement.matches('.skip') && "
                        "document.activeElement.getBoundingClientRect().left >= 0"))
    browser.key("Enter", text="\r")
    browser.until("document.activeElement.id === 'main'", "the content has no focus")
    browser.key("Tab")
    check("where the focus is can be seen",
          browser.value("getComputedStyle(document.activeElement).outlineStyle !== 'none' && "
                        "document.activeElement !== document.body"))


def live(browser):
    browser.look(1280, "light")
    browser.go(ADDRESS + "/?find=paused")
    browser.value("document.querySelector('.connector a').focus(); window.mine = 1; scrollTo(0, 60)")
    row = "document.querySelector('.connector').textContent"
    check("a connector is shown as paused", browser.value(row + ".includes('paused')"))
    rest("PUT", "/connectors/paused/stop")
    browser.until(row + ".includes('stopped')", "a change does not come by itself")
    check("the page was not loaded anew, and focus and place stay",
          browser.value("window.mine === 1 && document.activeElement.textContent === 'paused' && "
                        "scrollY === Math.min(60, document.documentElement.scrollHeight - innerHeight)"))
    typed = "document.getElementById('find')"
    browser.value(f"{typed}.focus(); {typed}.value = 'ma'; {typed}.setSelectionRange(2, 2)")
    time.sleep(5)
    check("what is being typed stays",
          browser.value(f"{typed}.value === 'ma' && document.activeElement === {typed}"))
    browser.value(f"{typed}.blur(); document.getElementById('fine').open = true")
    time.sleep(5)
    check("what was opened stays open", browser.value("document.getElementById('fine').open"))
    check("nothing was complained of meanwhile", not browser.complaints())
    check("a screen reader hears of a new state, politely",
          browser.value("document.getElementById('heard').getAttribute('aria-live') === 'polite'"))


def without_script(browser):
    browser.look(1280, "light", script=False)
    browser.go(ADDRESS + "/console/connector?name=paused")
    document = browser.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    one = lambda selector: browser.send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
    button = one("button[value=resume]")
    box = browser.send("DOM.getBoxModel", nodeId=button)["model"]["content"]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[5]) / 2
    browser.events.clear()
    for kind in ["mousePressed", "mouseReleased"]:
        browser.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.wait("Page.loadEventFired")
    document = browser.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    done = browser.send("DOM.getOuterHTML", nodeId=one(".done"))["outerHTML"]
    check("a button works without a script", "Resume was asked for" in done)
    browser.picture(os.path.join(PICTURES, "without-script.png"))
    browser.look(1280, "light")
    state = rest("GET", "/connectors/paused/status")["connector"]["state"]
    check(f"and did what it says: {state}", state != "STOPPED")


def foreign(browser):
    """A page of another site sends the form of a button."""
    browser.look(1280, "light")
    target = f"{ADDRESS}/console/change"
    page = (f"<form method=post action='{target}'><input name=name value=field-service>"
            "<input name=change value=restart></form><script>document.forms[0].submit()</script>")
    browser.events.clear()
    browser.send("Page.navigate", url="data:text/html," + urllib.request.quote(page))
    browser.until(f"location.href === '{target}' && document.readyState === 'complete'",
                  "the form was not sent")
    check("a form of another site is refused", browser.value("document.title").startswith("Forbidden"))
    browser.picture(os.path.join(PICTURES, "refused.png"))
    browser.complaints()


def lost(browser, stop):
    browser.look(1280, "light")
    browser.go(ADDRESS + "/")
    stop()
    browser.until("!document.getElementById('lost').hidden", "a process that is gone is not told")
    check("a process that is gone is told, and what is shown stays",
          browser.value("document.querySelectorAll('h1').length === 1"))
    browser.picture(os.path.join(PICTURES, "lost.png"), 900)


def main():
    os.makedirs(PICTURES, exist_ok=True)
    prepare()
    browser = Chromium(BINARY)
    try:
        for show in [pages, keyboard, live, without_script, foreign]:
            print(f"== {show.__name__}", flush=True)
            show(browser)
        print("== lost", flush=True)
        lost(browser, lambda: os.kill(int(sys.argv[4]), 15))
    finally:
        browser.close()
    print(f"{len(failed)} failed")
    sys.exit(1 if failed else 0)


main()
