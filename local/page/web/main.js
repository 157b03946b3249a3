/** Loads the page. If that fails, shows why and reloads it: a failed module is not retried. */

const AGAIN_MS = 2_000;
const connection = document.getElementById("connection");

try {
  await import("./page.js");
  document.querySelector("main").inert = false;
} catch (error) {
  connection.dataset.state = "lost";
  connection.textContent = "Not loaded, trying again";
  document.getElementById("offline").textContent =
    `The page could not be loaded. It will try again. ${error.message}`;
  setTimeout(() => location.reload(), AGAIN_MS);
}
