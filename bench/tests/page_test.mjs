// Opens the pages of `bench report` and `bench report --history` in a headless Chromium, as a reader does.
//
// Proves: one file that asks nothing of a network, no error under its own content security policy, every section drawn, each choice
// changes what is shown and stands in the URL, works by keyboard and on a narrow screen, gives back the samples that were measured.
// Does not prove that a chart looks right: pictures are looked at (--pictures FOLDER keeps them).
//
// usage: node page_test.mjs --bench BENCH --run DIR [--pictures FOLDER]      exit code 77: no browser here
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const kSkipped = 77;
const kBrowser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
const { values: given } = parseArgs({ options: { bench: { type: "string" }, run: { type: "string" }, pictures: { type: "string" } } });

async function driver() {
  try {
    return (await import("../output/page/node_modules/playwright-core/index.mjs")).chromium;
  } catch {
    return null;
  }
}

const chromium = await driver();
if (!chromium || !kBrowser) {
  console.log(`skipped: ${chromium ? "no chromium (apt-get install chromium)" : "no playwright-core (scripts/setup_page.sh)"}`);
  process.exit(kSkipped);
}

// A copy of the run with a timeline and times of calls: the golden run has none. osmem's mallocs take half of glibc's time, and one in a
// thousand a hundred times as long; larson has no frees.
function prepared(folder) {
  const run = join(folder, "run");
  cpSync(given.run, run, { recursive: true });
  const workload = readFileSync(join(run, "samples.csv"), "utf8").match(/^\d+,("[^"]*"|[^,]*),1,/m)[1];
  const rows = ["glibc", "osmem"].flatMap((name, i) =>
    Array.from({ length: 40 }, (_, k) => `0,${workload},1,${name},1048576,${k * 0.05},${1048576 * (2 + i + k / 10)},${1048576 * (k / 10)},,,`).concat([`0,${workload},1,${name},1048576,1.5,${1048576 * 4},0,drained,,`]));
  const header = "block,workload,threads,allocator,start_rss_bytes,time_s,rss_bytes,live_bytes,phase,pss_bytes,huge_bytes";
  writeFileSync(join(run, "timelines.csv"), [header, ...rows, ""].join("\n"));
  const times = (cell, name, call, ns) => [0, 1].flatMap((block) => [[ns, 9990], [ns * 100, 10]].map(([to, count]) => `${block},${cell},1,${name},${call},${to / 2},${to},${count}`));
  const calls = [["glibc", 40], ["osmem", 20]].flatMap(([name, ns]) => [...times(workload, name, "malloc", ns), ...times(workload, name, "free", ns / 2), ...times("larson:max=2000", name, "malloc", ns)]);
  writeFileSync(join(run, "latency.csv"), ["block,workload,threads,allocator,function,from_ns,to_ns,count", ...calls, ""].join("\n"));
  return run;
}

const sortedRows = (text) => text.trim().split("\n").slice(1).sort();
const text = (page, selector) => page.locator(selector).innerText();
const hash = (page) => page.evaluate(() => decodeURIComponent(location.hash));

const tests = {
  async "draws every section and asks nothing of a network"(page) {
    for (const id of ["means", "pareto", "forest", "heat", "threads", "memory", "latency", "table", "host"]) {
      await page.locator(`#${id}`).scrollIntoViewIfNeeded();
      await page.waitForFunction((each) => document.querySelector(`#${each} .drawn`).childElementCount > 0, id);
    }
    for (const id of ["pareto", "forest", "memory", "latency"]) assert.ok((await page.locator(`#${id} svg[role=img]`).count()) > 0, id);
    assert.ok((await page.locator(".verdicts li").count()) > 0);
  },
  async "another baseline changes sentences and ratios"(page) {
    const [words, table] = [await text(page, "header"), await text(page, "#means")];
    await page.selectOption("#choose-base", "osmem");
    assert.notEqual(await text(page, "header"), words);
    assert.notEqual(await text(page, "#means"), table);
    assert.match(await hash(page), /base=osmem/);
  },
  async "another metric changes the charts and the table"(page) {
    await page.locator("#table").scrollIntoViewIfNeeded();
    const before = await text(page, "#table .drawn");
    await page.selectOption("#choose-metric", "peak_rss");
    await page.waitForFunction((old) => document.querySelector("#table .drawn").innerText !== old, before);
    assert.match(await text(page, "#table .drawn"), /KiB|MiB/);
    await page.locator("#forest").scrollIntoViewIfNeeded();
    await page.waitForSelector("#forest svg[aria-label^='Peak RSS']");
    assert.match(await page.locator("#forest svg[role=img]").getAttribute("aria-label"), /^Peak RSS/);
  },
  async "an allocator can be taken away, and the last one stays"(page) {
    await page.locator("#heat").scrollIntoViewIfNeeded();
    await page.uncheck("input[data-choice=allocators][value=jemalloc]");
    await page.locator("#heat").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => !document.querySelector("#heat thead").innerText.includes("jemalloc"));
    for (const name of await page.locator("input[data-choice=allocators]").evaluateAll((boxes) => boxes.map((box) => box.value))) {
      await page.locator(`input[data-choice=allocators][value="${name}"]`).click();
      await page.locator(`input[data-choice=allocators][value="${name}"]`).isChecked();
    }
    assert.ok((await page.locator("input[data-choice=allocators]:checked").count()) > 0);
  },
  async "the table sorts, filters, and remembers both in the address"(page) {
    await page.locator("#table").scrollIntoViewIfNeeded();
    await page.click("[data-sort=ratio]");
    await page.click("[data-sort=ratio]");
    await page.fill("#filter", "osmem larson");
    const ratios = await page.locator("#table tbody tr td:nth-child(5)").allInnerTexts();
    assert.deepEqual(ratios.map(Number), ratios.map(Number).sort((a, b) => b - a));
    const names = await page.locator("#table tbody tr td:nth-child(3)").allInnerTexts();
    assert.ok(names.length > 0 && names.every((name) => name === "osmem"), names.join());
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(address);
    await page.locator("#table").scrollIntoViewIfNeeded();
    await page.waitForSelector("#table tbody tr");
    assert.deepEqual(await page.locator("#table tbody tr td:nth-child(5)").allInnerTexts(), ratios);
    assert.equal(await page.inputValue("#filter"), "osmem larson");
  },
  async "the crosshair is shared and moves by key"(page) {
    await page.locator("#memory").scrollIntoViewIfNeeded();
    await page.waitForSelector("#memory svg[role=img]");
    await page.locator("#memory svg[role=img]").first().focus();
    const before = await text(page, "#memory .readout");
    await page.keyboard.press("ArrowRight");
    const after = await text(page, "#memory .readout");
    assert.notEqual(after, before);
    assert.match(after, /live .*glibc .*osmem/);
    assert.equal(await page.locator("#memory .crosshair[visibility=visible]").count(), await page.locator("#memory svg[role=img]").count());
  },
  async "times of calls are read by key, and those of another call, cell and allocator are shown"(page) {
    const chart = "#latency svg[role=img]";
    await page.locator("#latency").scrollIntoViewIfNeeded();
    await page.waitForSelector(chart);
    assert.match(await page.locator(chart).getAttribute("aria-label"), /^Share of malloc in .*under glibc, osmem/);
    await page.focus(chart);
    const read = [];
    for (let i = 0; i < 65; ++i) {
      read.push(await text(page, "#latency .readout"));
      await page.keyboard.press(i < 15 ? "ArrowRight" : "ArrowLeft");
    }
    assert.ok(read.some((each) => /malloc longer than .*: glibc 1 in 1,000; osmem 1 in 1,000/.test(each)), read.join("\n"));
    assert.ok(read.some((each) => /glibc 100 %; osmem 1 in 1,000/.test(each)), read.join("\n"));
    await page.selectOption("#choose-call", "free");
    assert.match(await page.locator(chart).getAttribute("aria-label"), /^Share of free/);
    await page.focus("#choose-cell");
    await page.selectOption("#choose-cell", "larson:max=2000");
    assert.match(await page.locator(chart).getAttribute("aria-label"), /^Share of malloc in larson:max=2000 /); // which has no frees
    assert.equal(await page.evaluate(() => document.activeElement.id), "choose-cell");
    await page.uncheck("input[data-choice=allocators][value=osmem]");
    await page.waitForSelector(`${chart}:not([aria-label*=osmem])`);  // waiting by a function stood still here at times
    assert.match(await hash(page), /cell=larson:max=2000.*call=free/);
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(address);
    await page.locator("#latency").scrollIntoViewIfNeeded();
    await page.waitForSelector(chart);
    assert.match(await page.locator(chart).getAttribute("aria-label"), /larson:max=2000 that took longer than a time, under glibc$/);
  },
  async "every choice can be reached and made by keyboard"(page) {
    const reached = new Set();
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.value || ""));
    }
    for (const id of ["choose-base", "choose-metric", "osmem", "choose-cell", "choose-call", "filter", "verdict", "copy", "download"]) assert.ok(reached.has(id), `${id} is not reached`);
    await page.focus("input[data-choice=allocators][value=osmem]");
    await page.keyboard.press("Space");
    assert.equal(await page.isChecked("input[data-choice=allocators][value=osmem]"), false);
    assert.equal(await page.evaluate(() => document.activeElement.value), "osmem");
  },
  async "the samples that can be downloaded are those measured"(page, run) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    assert.deepEqual(sortedRows(readFileSync(await download.path(), "utf8")), sortedRows(readFileSync(join(run, "samples.csv"), "utf8")));
  },
  async "the table can be copied as Markdown"(page) {
    await page.click("#copy");
    const copied = await page.evaluate(() => document.querySelector("#table textarea")?.value ?? navigator.clipboard.readText());
    assert.match(copied, /^\| cell \| kind \| allocator \|/m);
  },
  async "prints with every section drawn"(page) {
    await page.pdf({ path: join(tmpdir(), `page-test-${process.pid}.pdf`) });
    rmSync(join(tmpdir(), `page-test-${process.pid}.pdf`));
    const blank = await page.evaluate(() => [...document.querySelectorAll(".drawn")].filter((place) => place.childElementCount === 0).length);
    assert.equal(blank, 0);
  },
};

// Three runs by date, osmem's throughput a fifth lower in the last; and a folder of another format.
function history(folder) {
  const runs = join(folder, "history");
  const rows = readFileSync(join(given.run, "samples.csv"), "utf8").trimEnd().split("\n");
  for (const [day, factor] of [[1, 1], [2, 1], [3, 0.8]]) {
    const run = join(runs, `run${day}`);
    mkdirSync(run, { recursive: true });
    const slower = (row) => row.replace(/(,osmem,throughput,ops\/s,)([^,]+)/, (_, before, value) => `${before}${Number(value) * factor}`);
    writeFileSync(join(run, "samples.csv"), [...rows.map(slower), ""].join("\n"));
    const environment = JSON.parse(readFileSync(join(given.run, "environment.json"), "utf8"));
    writeFileSync(join(run, "environment.json"), JSON.stringify({ ...environment, date: `2026-01-0${day}`, commit: `${day}`.repeat(40) }));
  }
  mkdirSync(join(runs, "older"));
  cpSync(join(given.run, "environment.json"), join(runs, "older", "environment.json"));
  writeFileSync(join(runs, "older", "samples.csv"), "repetition,workload\n0,pair\n");
  return runs;
}

const historyTests = {
  async "names the change point, its commit, and what is left out"(page) {
    assert.match(await text(page, "#table .drawn"), /osmem[^]*\u25bc 0\.80[^]*33333333/);
    assert.doesNotMatch(await text(page, "#table .drawn"), /22222222/);
    assert.match(await text(page, "#left-out"), /older.*not the header/);
    assert.ok((await page.locator("#kinds svg[role=img]").count()) > 0);
    assert.match(await page.locator("#cells svg[role=img]").first().getAttribute("aria-label"), /1 change point/);
  },
  async "another metric, a filter and an allocator change what is shown, and stand in the address"(page) {
    const before = await text(page, "#table .drawn");
    await page.selectOption("#choose-metric", "peak_rss");
    assert.notEqual(await text(page, "#table .drawn"), before);
    await page.fill("#filter", "larson");
    const titles = await page.locator("#cells h3").allInnerTexts();
    assert.ok(titles.length > 0 && titles.every((title) => title.includes("larson")), titles.join());
    await page.uncheck("input[data-choice=allocators][value=osmem]");
    assert.match(await hash(page), /metric=peak_rss.*allocators=.*filter=larson/);
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(address);
    await page.waitForSelector("#cells svg[role=img]");
    assert.deepEqual(await page.locator("#cells h3").allInnerTexts(), titles);
    assert.equal(await page.isChecked("input[data-choice=allocators][value=osmem]"), false);
  },
  async "every choice can be reached by keyboard"(page) {
    const reached = new Set();
    for (let i = 0; i < 20; ++i) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.value || ""));
    }
    for (const id of ["choose-metric", "filter", "osmem"]) assert.ok(reached.has(id), `${id} is not reached`);
  },
};

const folder = mkdtempSync(join(tmpdir(), "page-test-"));
const run = prepared(folder);
const file = join(folder, "report.html");
execFileSync(given.bench, ["report", run, "-o", file], { stdio: ["ignore", "ignore", "inherit"] });
const historyFile = join(folder, "history.html");
execFileSync(given.bench, ["report", "--history", history(folder), "-o", historyFile], { stdio: ["ignore", "ignore", "inherit"] });
const pages = [{ file, ready: "#pareto svg[role=img]", tests }, { file: historyFile, ready: "#cells svg[role=img]", tests: historyTests }];
const cases = pages.flatMap(({ tests: all, ...rest }) => Object.entries(all).map(([name, test]) => ({ ...rest, name, test })));
const browser = await chromium.launch({ executablePath: kBrowser, args: ["--no-sandbox", "--disable-gpu"] });
let failed = 0;
for (const { width, scheme } of [{ width: 1280, scheme: "light" }, { width: 400, scheme: "dark" }]) {
  for (const { file: opened, ready, name, test } of cases) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, acceptDownloads: true, permissions: ["clipboard-read", "clipboard-write"] });
    const page = await context.newPage();
    page.setDefaultTimeout(60000);
    const trouble = [];
    page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(error.stack));
    page.on("request", (request) => /^(file|data|blob|about):/.test(request.url()) || trouble.push(`asked for ${request.url()}`));
    try {
      await page.goto(`file://${opened}`);
      await page.waitForSelector(ready);
      await test(page, run);
      assert.deepEqual(trouble, []);
      const [scrolls, fits] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(scrolls <= fits, `the page is ${scrolls} pixels wide on a screen of ${fits}`);
      console.log(`ok      ${width} ${scheme}: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${width} ${scheme}: ${name}\n${error.stack}`);
    }
    if (given.pictures) await page.screenshot({ path: join(given.pictures, `${width}-${name.replace(/\W+/g, "-")}.png`), fullPage: true });
    await context.close();
  }
}
await browser.close();
rmSync(folder, { recursive: true });
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
