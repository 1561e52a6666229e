// What every page has: the name, the keys, and "apply".

import { base, request } from "./api.js";
import { bindKeys, showKeys } from "./keys.js";
import { notice } from "./notice.js";

const button = document.getElementById("apply");
const POLL = 400; // ms

// Back to where one came from in the grid.
const home = document.querySelector(".home");
if (location.pathname !== `${base}/`) home.href = `${base}/${sessionStorage.getItem("grid") ?? ""}`;
document.getElementById("show-keys").addEventListener("click", showKeys);
bindKeys([{ keys: ["g"], label: "All pictures", run: () => home.click() }]);

const dialog = document.getElementById("rename");
document.getElementById("reviewer").addEventListener("click", () => dialog.showModal());
document.getElementById("rename-form").addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "save") return;
  const name = document.getElementById("rename-name").value;
  try {
    const answer = await request("PUT", "/api/reviewer", { body: { name } });
    document.getElementById("reviewer-name").textContent = answer.name;
    notice(`Decisions are kept under ${answer.name} now`);
  } catch (error) {
    notice(error.message);
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

/** Shows how many files "apply" would make anew. */
export function showChanges(count) {
  if (button.dataset.running) return;
  button.hidden = !count;
  button.textContent = `Apply ${count} ${count === 1 ? "change" : "changes"}`;
}

button.addEventListener("click", async () => {
  try {
    await follow(await request("POST", "/api/apply", { body: {} }));
  } catch (error) {
    notice(error.message);
  }
});

async function follow(status) {
  button.dataset.running = "yes";
  button.disabled = true;
  button.hidden = false;
  try {
    while (status.running) {
      button.textContent = `Applying ${status.done} of ${status.total}…`;
      await new Promise((resolve) => setTimeout(resolve, POLL));
      status = await request("GET", "/api/apply");
    }
  } finally {
    delete button.dataset.running;
    button.disabled = false;
  }
  showChanges(status.changed);
  if (status.problem) notice(status.problem, 12);
  else notice(`${status.done - status.failures.length} made anew${status.failures.length ? `, ${status.failures.length} not` : ""}`);
  if (status.failures.length) showFailures(status.failures);
  document.dispatchEvent(new CustomEvent("applied"));
}

function showFailures(failures) {
  document.getElementById("failures-list").replaceChildren(...failures.map((text) => {
    const row = document.createElement("li");
    row.textContent = text;
    return row;
  }));
  document.getElementById("failures").showModal();
}

request("GET", "/api/apply").then((status) => {
  if (status.running) follow(status).catch((error) => notice(error.message));
  else showChanges(status.changed);
}).catch(() => {});
