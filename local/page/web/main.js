/** Loads the page. Where that fails, says why and loads all of it again: a module loads once. */

const AGAIN_MS = 2_000;
const connection = document.getElementById("connection");

try {
  await import("./page.js");
  document.querySelector("main").inert = false;
} catch (error) {
  connection.dataset.state = "lost";
  connection.textContent = "Not loaded, trying again";
  document.getElementById("offline").textContent =
    `The page could not be loaded, and is loaded again soon. ${error.message}`;
  setTimeout(() => location.reload(), AGAIN_MS);
}
