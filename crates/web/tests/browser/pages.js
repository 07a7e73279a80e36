// Opens each page light and dark, wide and narrow: no axe violation, no horizontal scroll, no script out of mail, and the
// main actions by keyboard alone. Facts come in PAGES_… variables; screenshots go to the folder PAGES_SHOTS, when it is set. Exit code 1 lists what failed.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const fact = (name) => {
  const value = process.env[`PAGES_${name}`];
  if (!value) throw new Error(`PAGES_${name} is not set; the Rust test browser.rs sets it`);
  return value;
};
const base = fact("BASE");
// A folder for pictures; without one none are taken.
const shots = process.env.PAGES_SHOTS;
if (shots) mkdirSync(shots, { recursive: true });
const shoot = (name) => shots && page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });

const faults = [];
const fault = (text) => faults.push(text);
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: fact("CHROMIUM"), args: flags });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();

page.on("pageerror", (error) => fault(`${page.url()}: ${error.message}`));
page.on("console", (message) => {
  // The missing page answers 404 and the refused letter 422, which Chromium also tells here.
  if (message.type() === "error" && !/status of (404|422)/.test(message.text())) fault(`${page.url()}: ${message.text()}`);
});
page.on("dialog", (dialog) => { fault(`${page.url()}: a dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on("request", (request) => {
  if (!request.url().startsWith(base) && !request.url().startsWith("data:")) fault(`${page.url()} asks for ${request.url()}`);
});

/** Names in the head of the page that stand on more than one line. */
function brokenNames() {
  const lines = (link) => {
    const range = document.createRange();
    range.selectNodeContents(link);
    return new Set([...range.getClientRects()].filter((rect) => rect.width > 0).map((rect) => Math.round(rect.top))).size;
  };
  return [...document.querySelectorAll(".top nav a, .top .who button")].filter((link) => lines(link) > 1).map((link) => link.innerText);
}

/** What must hold of every page, whatever its state. */
async function audit(where) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) fault(`${where}: scrolls ${wide} px sideways`);
  for (const word of await page.evaluate(brokenNames)) fault(`${where}: "${word}" is broken in the middle`);
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, iframes: false }), tags);
  for (const violation of found.violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any.map((any) => any.message).join("; ")}`);
    fault(`${where}: ${violation.id}: ${violation.help}\n    ${nodes.join("\n    ")}`);
  }
  if (await page.evaluate(() => window.ran !== undefined)) fault(`${where}: script out of a mail ran`);
}

async function examine(name, path) {
  for (const [scheme, width] of [["light", 1280], ["light", 390], ["dark", 1280], ["dark", 390]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    await page.goto(base + path);
    const where = `${name} ${scheme} ${width}`;
    await audit(where);
    await shoot(`${name}-${scheme}-${width}`);
  }
}

/** Presses Tab until the focus is on something that matches; what has the focus must be seen to have it. */
async function tabTo(selector, most) {
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press("Tab");
    const [there, seen] = await page.evaluate((selector) => {
      const style = getComputedStyle(document.activeElement);
      return [document.activeElement.matches(selector), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
    }, selector);
    if (!seen) fault(`${page.url()}: the focus cannot be seen on tab ${n + 1}`);
    if (there) return true;
  }
  fault(`${page.url()}: ${most} tabs do not lead to ${selector}`);
  return false;
}

async function signIn() {
  await page.goto(`${base}/sign-in`);
  await examine("sign-in-empty", "/sign-in");
  await page.goto(fact("LINK"));
  if (await tabTo("main button", 6)) await page.keyboard.press("Enter");
  await page.waitForURL(`${base}/`);
}

async function byKeyboard() {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${base}/messages`);
  await page.keyboard.press("Tab");
  if (!(await page.evaluate(() => document.activeElement.matches(".skip")))) fault("the first tab is not the skip link");
  await page.keyboard.press("Enter");
  if (!(await page.evaluate(() => document.activeElement.id === "main"))) fault("the skip link does not lead to the content");
  await page.keyboard.press("/");
  if (!(await page.evaluate(() => document.activeElement.matches("#q")))) fault("/ does not lead to the search");
  await page.keyboard.type("question");
  await page.waitForFunction(() => document.querySelectorAll(".mails tbody tr").length === 1);
  if (!page.url().includes("q=question")) fault("the search is not in the URL");
  await page.goto(`${base}/messages?state=review`);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/messages\/msg_/);
  if (!(await tabTo("#record", 20))) return;
  await page.keyboard.type(fact("RECORD"));
  await page.keyboard.press("Enter");
  await page.waitForURL(/done=attached/);
  if (!(await page.textContent("main")).includes("Attached")) fault("attaching says nothing");
}

/** Review with keys alone: the first candidate, undo, skip. */
async function reviewByKeys() {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${base}/review`);
  const titles = () => page.locator(".review h2").allInnerTexts();
  const before = await titles();
  const item = page.locator("[data-item]", { has: page.locator("[data-key='1']") }).first();
  const subject = (await item.locator("h2").innerText()).trim();
  await item.locator("[data-row]").focus();
  await page.keyboard.press("1");
  await page.waitForURL(/done=attached/);
  if ((await titles()).join().includes(subject)) fault("1 attaches nothing");
  await shoot("review-undo");
  await page.keyboard.press("u");
  await page.waitForURL(/done=undone/);
  if ((await titles()).length !== before.length) fault("u takes nothing back");
  await page.keyboard.press("s");
  await page.waitForURL(/done=skipped/);
  if ((await titles()).length !== before.length - 1) fault("s skips nothing");
  await page.keyboard.press("u");
  await page.waitForURL(/done=undone/);
}

/** A letter that is refused keeps its words; mended, it is queued. */
async function letter() {
  await page.goto(`${base}/records/${fact("RECORD")}`);
  await page.click("text=Write a mail");
  await page.fill("#to", "anna");
  await page.fill("#subject", "A letter by hand");
  await page.fill("#text", "Dear Anna,\n\nso it is.");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#to-wrong");
  if ((await page.inputValue("#text")).trim() !== "Dear Anna,\n\nso it is.") fault("the typed text is lost");
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await audit(`write-refused ${width}`);
    await shoot(`write-refused-${width}`);
  }
  await page.fill("#to", "anna.adler@adler-brauerei.example");
  await page.click("form.letter button.main");
  await page.waitForURL(/done=written/);
  if (!(await page.textContent("main")).includes("A letter by hand")) fault("the new mail is not on its record");
}

/** A lifting without newer proof is refused in place, with the typed words; with it, the page says so. */
async function lifting() {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${base}/suppressions?address=${encodeURIComponent("anna@customer.example")}`);
  await page.click("details.lifting summary");
  await page.fill("#proof", "ticket 4711");
  await page.fill("#at", "2020-01-01T08:00:01");
  await page.click("details.lifting button");
  await page.waitForSelector("#lift-wrong");
  if ((await page.inputValue("#proof")) !== "ticket 4711") fault("the typed proof is lost");
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await audit(`lift-refused ${width}`);
    await shoot(`lift-refused-${width}`);
  }
  await page.fill("#at", new Date().toISOString().slice(0, 19).replace(/:00$/, ""));
  await page.click("details.lifting button");
  await page.waitForURL(/done=lifted/);
  if (!(await page.textContent("main")).includes("ticket 4711")) fault("the proof is not in the ledger");
}

/** From a campaign to a send by keyboard: lists, the count, a wrong number refused in place, the right one. */
async function sending() {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(base + fact("CAMPAIGN"));
  if (!(await tabTo("input[name=list]", 25))) return;
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/audience\?list=/);
  await page.fill("#expected", "7");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#send-wrong");
  if ((await page.inputValue("#expected")) !== "7") fault("the typed number is lost");
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await audit(`campaign-send-refused ${width}`);
    await shoot(`campaign-send-refused-${width}`);
  }
  await page.fill("#expected", "1");
  await page.keyboard.press("Enter");
  await page.waitForURL(/done=send-asked/);
}

async function hostile() {
  await page.goto(`${base}/messages/${fact("EVIL")}`);
  await page.click("details.formatted summary");
  const frame = page.frameLocator("iframe");
  await frame.locator("p").first().waitFor();
  await page.waitForLoadState("networkidle");
  for (const inside of page.frames()) {
    // A sandboxed frame runs no script; Playwright looks from outside.
    if (await inside.evaluate(() => window.ran !== undefined)) fault("script out of the hostile mail ran");
  }
  await shoot("hostile-open");
}

async function targets() {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ["/", "/messages", `/messages/${fact("MAIL")}`, "/records", "/shelf", "/review", "/outgoing", `/outgoing/${fact("DOUBT")}`, "/mailboxes", "/mailboxes/support", "/sync", `/sync/runs/${fact("PARTLY")}`, "/suppressions", "/campaigns", fact("CAMPAIGN"), `${fact("CAMPAIGN")}/audience?list=${fact("LIST")}`, "/sends", `/sends/${fact("LOST")}`]) {
    await page.goto(base + path);
    const small = await page.evaluate(() => [...document.querySelectorAll("button, .button, nav a, summary, input:not([type=hidden])")]
      .filter((element) => element.checkVisibility()).map((element) => [element.textContent.trim() || element.name, element.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24)).map(([text]) => text));
    if (small.length > 0) fault(`${path}: too small to touch: ${small.join(", ")}`);
  }
}

try {
  await signIn();
  await examine("today", "/");
  await examine("messages", "/messages");
  await examine("messages-review", "/messages?state=review");
  await examine("messages-none", "/messages?q=zebra");
  await examine("message", `/messages/${fact("MAIL")}`);
  await examine("message-hostile", `/messages/${fact("EVIL")}`);
  await examine("raw", `/messages/${fact("EVIL")}/raw`);
  await examine("records", "/records?table=contact");
  await examine("records-refused", "/records?table=contact&column=nothing&value=1");
  await examine("record", `/records/${fact("RECORD")}`);
  await examine("record-email-out", await page.evaluate(() => document.querySelector(".timeline a[href*='/records/email/']").getAttribute("href")));
  await examine("write", `/records/${fact("RECORD")}/write`);
  await examine("review", "/review");
  await examine("find-record", `/messages/${fact("MAIL")}/move?q=pump`);
  await examine("outgoing", "/outgoing");
  await examine("outgoing-none", "/outgoing?state=suppressed");
  await examine("outgoing-sent", `/outgoing/${fact("SENT")}`);
  await examine("outgoing-unknown", `/outgoing/${fact("DOUBT")}`);
  await examine("message-out", `/messages/${fact("SENT")}`);
  await examine("mailboxes", "/mailboxes");
  await examine("mailbox", "/mailboxes/support?since=2026-03-01");
  await examine("mailbox-refused", "/mailboxes/support?since=2999-01-01");
  await examine("shelf", "/shelf");
  await examine("sync", "/sync");
  await examine("sync-runs", "/sync/runs");
  await examine("sync-runs-none", "/sync/runs?state=failed");
  await examine("sync-run", `/sync/runs/${fact("PARTLY")}`);
  await examine("sync-trial", "/sync/accounts/main/suppressions/dry-run");
  await examine("sync-held", `/sync/runs/${fact("HELD")}`);
  await examine("mappings", "/mappings");
  await examine("mappings-sample", `/mappings?record=contact/${fact("PERSON")}`);
  await examine("mappings-found", "/mappings?record=brien");
  await examine("lists", "/lists");
  await examine("list", `/lists/${fact("LISTED")}`);
  await examine("list-compared", `/lists/${fact("LISTED")}?compare=yes`);
  await examine("people-none", "/people");
  await examine("people", `/people?address=${encodeURIComponent("o'brien+x@example.com")}&on=2026-03-01&erase=yes`);
  await examine("people-refused", "/people?address=nobody");
  await examine("forms", "/forms");
  await examine("form", `/forms/main/${fact("FORM")}`);
  await examine("suppressions", "/suppressions");
  await examine("suppressions-why", `/suppressions?address=${encodeURIComponent("o'brien+x@example.com")}`);
  await examine("suppressions-refused", "/suppressions?address=nobody&q=zebra");
  await lifting();
  await examine("campaigns", "/campaigns");
  await examine("campaign", fact("CAMPAIGN"));
  await examine("campaign-never-sent", "/campaigns/main/12");
  await examine("campaign-audience", `${fact("CAMPAIGN")}/audience?list=${fact("LIST")}`);
  await examine("campaign-audience-none", `${fact("CAMPAIGN")}/audience`);
  await examine("sends", "/sends");
  await examine("sends-none", "/sends?state=paused");
  await examine("send-approval", `/sends/${fact("APPROVAL")}`);
  await examine("send-question", `/sends/${fact("QUESTION")}`);
  await examine("send-lost", `/sends/${fact("LOST")}`);
  await examine("send-sent", `/sends/${fact("WENT")}`);
  await sending();
  await examine("problem", "/messages/msg_00000000000000000000000000");
  await hostile();
  await targets();
  await reviewByKeys();
  await letter();
  await byKeyboard();
} catch (error) {
  fault(error.stack);
} finally {
  await browser.close();
}
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log("pages: no fault found");
