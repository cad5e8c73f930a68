// Builds a page: src/page.html with the style and the script, and what they use of the charting library, inside it. Its place for the
// data, @BENCH_DATA@, is filled in by `bench report`.
//
// usage: node build.mjs report|history OUTPUT.html
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [, , which, output] = process.argv;
const entry = { report: "main.js", history: "history.js" }[which];
if (!entry || !output) {
  console.error("usage: node build.mjs report|history OUTPUT.html");
  process.exit(2);
}

async function bundled(entry) {
  const result = await build({
    entryPoints: [join(here, "src", entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    logLevel: "error",
  });
  return result.outputFiles[0].text.trim();
}

// A function as the replacement: "$&" in the code must not be read as a pattern.
function put(page, mark, text) {
  if (!page.includes(mark)) throw new Error(`src/page.html has no ${mark}`);
  return page.replace(mark, () => text);
}

// The parser of HTML ends a script at the first "</script", and changes its state at "<!--", even inside a string.
const inScript = (code) => code.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");

let page = readFileSync(join(here, "src", "page.html"), "utf8");
page = put(page, "<title>bench report</title>", `<title>bench ${which}</title>`);
page = put(page, "/*STYLE*/", await bundled("page.css"));
page = put(page, "/*SCRIPT*/", inScript(await bundled(entry)));
writeFileSync(output, page);
