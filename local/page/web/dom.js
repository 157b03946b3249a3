/** Builds elements without markup: no text that is shown is ever parsed. */

/** @param {string} id */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

const kept = (children) =>
  children.flat(Infinity).filter((child) => child != null && child !== false);

/**
 * Makes an element. `on` has its listeners, `css` its custom properties. Attributes that are false,
 * null or undefined and children that are null or false are omitted; text stays text.
 */
export function element(tag, { on = {}, css = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  for (const [name, value] of Object.entries(css)) made.style.setProperty(name, value);
  made.append(...kept(children));
  return made;
}

/** Shows a result in `place`; its kind is `good`, `refused`, `waiting` or empty. */
export function say(place, kind, ...children) {
  place.className = kind ? `answer ${kind}` : "answer";
  place.replaceChildren(...kept(children));
}

const busy = new WeakSet();
const presses = [];

/** Calls the listener with the words of each button that is pressed. */
export const onPress = (listener) => presses.push(listener);

/**
 * Runs `work` when a form or button is used, once at a time; shows its errors in `place`. The name
 * of a part of the page (`data-part-name`) precedes the words of its buttons.
 */
export function doing(trigger, place, work) {
  const event = trigger.matches("form") ? "submit" : "click";
  const button = trigger.matches("form") ? trigger.querySelector("button") : trigger;
  trigger.addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    const part = button.closest("[data-part-name]")?.dataset.partName;
    for (const listener of presses) listener([part, button.textContent].filter(Boolean).join(": "));
    busy.add(button);
    sync(button); // `disabled` would lose the focus
    try {
      await work();
    } catch (error) {
      say(place, "refused", error.message);
    } finally {
      busy.delete(button);
      sync(button);
    }
  });
}

/** Switches a button off and shows why, or on again if there is no reason. */
export function allow(button, reason) {
  byId(`${button.id}-why`).textContent = reason || "";
  button.toggleAttribute("data-off", Boolean(reason));
  sync(button);
}

function sync(button) {
  const isOff = busy.has(button) || button.hasAttribute("data-off");
  if (isOff) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

/** A button that copies a text. */
export function copyButton(text, says = "Copy") {
  const button = element("button", { type: "button", class: "small" }, says);
  button.addEventListener("click", async () => {
    const isCopied = await navigator.clipboard.writeText(text()).then(
      () => true,
      () => false,
    );
    button.textContent = isCopied ? "Copied" : "Not copied: select the text";
    setTimeout(() => (button.textContent = says), 2_000);
  });
  return button;
}

/** A definition list of names and values. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value != null);
  return element("dl", { class: "facts" }, shown.map(fact));
}

const fact = ([name, value]) => [element("dt", {}, name), element("dd", {}, value)];

export const code = (text) => element("code", {}, String(text));

/** A fingerprint and the punctuation after it, which stay on one line. */
export const fingerprintAnd = (mark, digits) =>
  element("span", { class: "unbroken" }, fingerprint(digits), mark);

/** A secret's fingerprint, with two colours computed from it. */
export function fingerprint(digits) {
  if (!digits) return element("span", { class: "fingerprint" }, "none");
  const hue = (at) => String(parseInt(digits.slice(at, at + 4), 16) % 360);
  const swatch = element("i", { class: "swatch", css: { "--one": hue(0), "--two": hue(4) } });
  return element("span", { class: "fingerprint" }, swatch, code(digits));
}
