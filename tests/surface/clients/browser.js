// Opens a page in a real browser and says what a reader sees: node browser.js EXECUTABLE URL [try]
import { chromium } from "playwright-core";

const [, , executablePath, url, action] = process.argv;
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
  ],
});
try {
  const page = await browser.newPage();
  const requested = [];
  const problems = [];
  page.on("request", (request) => requested.push(request.url()));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  await page.getByText("/invocations").or(page.getByText("List my sessions")).first().waitFor();

  let answer;
  if (action === "try") {
    const operation = page.locator("#operations-Chat-invocations_invocations_post");
    await operation.locator(".opblock-summary").click();
    await operation.getByRole("button", { name: "Try it out" }).click();
    const body = await operation.locator("textarea.body-param__text").inputValue();
    await operation.getByRole("button", { name: "Execute" }).click();
    const live = operation.locator(".live-responses-table .response");
    await live.locator(".response-col_status").waitFor({ timeout: 60_000 });
    answer = { body, status: await live.locator(".response-col_status").innerText(), text: await live.innerText() };
  }
  console.log(JSON.stringify({ text: await page.locator("body").innerText(), requested, problems, answer }));
} finally {
  await browser.close();
}
