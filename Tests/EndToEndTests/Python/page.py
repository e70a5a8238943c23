"""Opens the page in headless Chromium and does what people do. Arguments: address, folder for screenshots.
Prints one line a problem; none when all is well. CHROMIUM_ZONE picks the viewer's zone through TZ."""

import os
import sys
import time

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

address, folder = sys.argv[1], sys.argv[2]
problems = []


def browser(width, height, dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--hide-scrollbars", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    return driver


def check(is_true, what):
    if not is_true:
        problems.append(what)


def wait(driver, what, condition):
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            found = condition()
            if found:
                return found
        except Exception:  # the page replaced what was just found
            pass
        time.sleep(0.1)
    problems.append(f"waited in vain for {what}: {driver.current_url}")
    return None


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)


def all(driver, selector):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def click(driver, selector, wanted=None):
    # Parts are drawn anew while they live, so finding and clicking are one step.
    return driver.execute_script(
        "const node = [...document.querySelectorAll(arguments[0])].find((one) => !arguments[1] || one.innerText.trim() === arguments[1]);"
        "node?.click(); return !!node", selector, wanted)


def loaded(driver):
    wait(driver, "the first data", lambda: not all(driver, ".skeleton"))


def complaints(driver, where):
    for entry in driver.get_log("browser"):
        problems.append(f"console, {where}: {entry['message']}")
    result = Axe().run(driver)
    for violation in result["violations"]:
        for node in violation["nodes"][:3]:
            problems.append(f"axe, {where}: {violation['id']}: {node['html'][:150]} {node.get('any', [{}])[0].get('message', '') if node.get('any') else ''}")
    wide = driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(wide <= 0, f"{where}: scrolls sideways by {wide}")


def picture(driver, name):
    height = driver.execute_script("return document.documentElement.scrollHeight")
    data = driver.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True,
        "clip": {"x": 0, "y": 0, "width": driver.execute_script("return innerWidth"), "height": height, "scale": 1}})
    import base64
    with open(f"{folder}/{name}.png", "wb") as file:
        file.write(base64.b64decode(data["data"]))


# Everything that is painted outside its card or tile, or outside the window: the boxes of elements and of text.
# What scrolls in a box of its own, or is cut there on purpose, may be longer, when the whole of it is in a title.
OUTSIDE = """
const found = [];
const hidden = (node, root) => { for (let one = node; one && one !== root; one = one.parentElement) if (one.matches(".hidden, .scroll, [hidden]")) return true; return false };
const place = (node, root) => { const box = root.getBoundingClientRect(); return node.closest(".tip") ? { left: 0, right: innerWidth } : box };
for (const root of document.querySelectorAll(".card, .tile, #trail, header")) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.nodeType === 1 ? node : node.parentElement;
    if (hidden(element, root)) continue;
    const style = getComputedStyle(element);
    if (element.closest("dt, .name") && style.textOverflow === "ellipsis") {
      if (element.scrollWidth > element.clientWidth && element.title !== element.textContent) found.push(`cut without a title: ${element.textContent.slice(0, 40)}`);
      continue;
    }
    let boxes = [element.getBoundingClientRect()];
    if (node.nodeType === 3) { const range = document.createRange(); range.selectNodeContents(node); boxes = [...range.getClientRects()]; }
    const { left, right } = place(element, root);
    for (const box of boxes) if (box.width > 0 && (box.right > right + 0.5 || box.left < left - 0.5)) {
      found.push(`${root.id || root.className}: ${element.tagName}.${element.getAttribute("class")} from ${Math.round(box.left)} to ${Math.round(box.right)} in ${Math.round(left)} to ${Math.round(right)}: ${element.textContent.slice(0, 40)}`);
      break;
    }
  }
}
return found"""


def names(driver, where):
    """Nothing is wider than its card, whatever the names; a bar is as wide as its card and no wider."""
    user = "h" * 64
    for view in ("", f"#by=user&level=user&range=24h", f"#by=model&level=model&user={user}", "#by=feature&level=feature"):
        driver.get("about:blank")
        driver.get(address + view)
        loaded(driver)
        wait(driver, "budgets and alerts", lambda: len(all(driver, "#budgets .bar")) >= 3 and all(driver, "#alerts li"))
        wait(driver, "a bar to read", lambda: all(driver, "#spend .chart"))
        # The table of the chart open, and a tip shown.
        driver.execute_script("document.querySelector('#spend details').open = true; document.querySelector('#spend .chart').focus()")
        driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
        wait(driver, "a tip", lambda: "$" in text(driver, "#spend .tip"))
        for line in driver.execute_script(OUTSIDE)[:5]:
            problems.append(f"{where} {view[:14]}: {line}")
        wide = driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        check(wide <= 0, f"{where} {view[:14]}: scrolls sideways by {wide}")
        part = view[1:9].strip("&").replace("=", "-")
        picture(driver, f"names-{where}-{part}")
    shown = text(driver, "#budgets")
    check(user in shown and "$" in shown, f"{where}: a name is not whole, or its figures are missing")


def walk(driver):
    """Every part has data; filters, levels, ranges and the address follow each other."""
    check("$" in text(driver, "#tiles"), "the tiles show no dollars")
    check(len(all(driver, "#spend svg rect")) > 30, "the chart has no bars")
    check(len(all(driver, "#budgets .bar")) >= 3, "no budgets")
    check("Notifications" not in text(driver, "#alerts") and len(all(driver, "#alerts li")) >= 1, "no alerts")
    check("acorn-preview-2" in text(driver, "#unpriced"), "the unpriced model is missing")
    check("Version" in text(driver, "#health"), "no health")
    check(os.environ.get("TZ", "UTC") in text(driver, "#zone"), f"the zone: {text(driver, '#zone')}")

    # Drill down: tenant, feature, model.
    click(driver, "#top .link", "granite-bank")
    wait(driver, "the filter in the address", lambda: "tenant=granite-bank" in driver.current_url and "level=feature" in driver.current_url)
    wait(driver, "features of one tenant", lambda: "agents.research" in text(driver, "#top"))
    click(driver, "#top .link", "agents.research")
    wait(driver, "models of one feature", lambda: "claude-sonnet" in text(driver, "#top"))
    picture(driver, "drill-down")
    # The address alone brings the same view.
    link = driver.current_url
    driver.get("about:blank")
    driver.get(link)
    loaded(driver)
    check(len(all(driver, "#trail .chip")) == 3, "a deep link lost its filters")
    check("claude-sonnet" in text(driver, "#top"), "a deep link shows something else")
    click(driver, "#trail .chip", "All spend")
    wait(driver, "no filters", lambda: not all(driver, "#trail .chip"))
    for words, columns in (("24 hours", 24), ("30 days", 30)):
        click(driver, "#ranges button", words)
        wait(driver, words, lambda: len(all(driver, "#spend .hit")) == columns)
    driver.execute_script("const s = document.getElementById('stack'); s.value = 'model'; s.dispatchEvent(new Event('change'))")
    wait(driver, "models in the chart", lambda: "gpt-4o" in text(driver, "#spend .legend"))

    # By keyboard: a bar is read out, and focus stays through a refresh.
    chart = wait(driver, "the chart", lambda: all(driver, "#spend .chart")[0])
    driver.execute_script("document.querySelector('#spend .chart').focus()")
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    check("$" in text(driver, "#spend .tip"), "no tip for the bar")
    check("$" in driver.execute_script("return document.querySelector('#spend [aria-live]').textContent"), "the bar is not read out")
    check(driver.execute_script("return document.querySelector('#spend details table tbody').rows.length") == 30, "the table has other rows")


def acknowledge(driver):
    """Who acknowledges an anomaly sees that it is, also after a reload."""
    known = lambda: text(driver, "#anomalies").count("acknowledged")
    before = known()
    wait(driver, "an anomaly to acknowledge", lambda: click(driver, "#anomalies button.act", "Acknowledge"))
    wait(driver, "its acknowledgement", lambda: known() == before + 1)
    driver.refresh()
    loaded(driver)
    check(known() == before + 1, "a reload forgot the acknowledgement")


if len(sys.argv) > 3 and sys.argv[3] == "replay":
    driver = browser(1280, 900)
    driver.get(address)
    loaded(driver)
    wait(driver, "a dead letter", lambda: "never got it" in text(driver, "#alerts"))
    picture(driver, "dead-letter")
    check(click(driver, "#alerts button.act", "Send again"), "no button to send it again")
    wait(driver, "its delivery", lambda: "✓ hook" in text(driver, "#alerts"))
    check(not all(driver, "#alerts .dead"), "the dead letter is still there")
    complaints(driver, "replay")
    driver.quit()
elif len(sys.argv) > 3 and sys.argv[3] == "refused":
    # A viewer may look, and is told why a button does nothing.
    driver = browser(1280, 900)
    driver.get(address)
    wait(driver, "the question for a token", lambda: driver.execute_script("return document.getElementById('signin').open"))
    driver.find_element(By.ID, "token").send_keys(sys.argv[4], Keys.ENTER)
    loaded(driver)
    wait(driver, "a dead letter", lambda: click(driver, "#alerts button.act", "Send again"))
    wait(driver, "the reason", lambda: "needs the role editor" in text(driver, "#alerts [role=alert]"))
    driver.quit()
elif len(sys.argv) > 3 and sys.argv[3] == "signin":
    driver = browser(1000, 800)
    driver.get(address)
    wait(driver, "the question for a token", lambda: driver.execute_script("return document.getElementById('signin').open"))
    driver.find_element(By.ID, "token").send_keys(sys.argv[4], Keys.ENTER)
    loaded(driver)
    wait(driver, "data after signing in", lambda: "$" in text(driver, "#tiles"))
    driver.quit()
elif len(sys.argv) > 3 and sys.argv[3] == "names":
    for width, dark in ((390, False), (390, True), (1000, False), (1400, True)):
        driver = browser(width, 900, dark)
        where = f"{width}-{'dark' if dark else 'light'}"
        driver.get(address)
        names(driver, where)
        complaints(driver, where)
        driver.quit()
elif len(sys.argv) > 3 and sys.argv[3] == "empty":
    driver = browser(1280, 900)
    driver.get(address)
    loaded(driver)
    for part in ("spend", "top", "alerts", "unpriced"):
        check(len(text(driver, f"#{part} .empty")) > 10, f"{part} says nothing when it is empty")
    picture(driver, "empty")
    complaints(driver, "empty")
    driver.quit()
else:
    for name, width, height, dark in (("light", 1360, 900, False), ("dark", 1360, 900, True), ("phone", 390, 844, False)):
        driver = browser(width, height, dark)
        driver.get(address)
        loaded(driver)
        picture(driver, name)
        complaints(driver, name)
        if name == "light":
            walk(driver)
            acknowledge(driver)
            complaints(driver, "after the walk")
        driver.quit()
for problem in problems:
    print(problem)
