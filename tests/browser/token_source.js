/** A frontend with a token source, controlled by `test_token_source.py`. */

import { createTokenSource } from "/token-source.js";

const { fetch } = window;
const frontend = (window.frontend = { sent: 0, settled: 0, bearersAsked: [], stored: 0 });

window.fetch = async (...request) => {
  const settle = () => (frontend.settled += 1);
  frontend.sent += 1;
  const answer = await fetch(...request).catch((error) => {
    settle();
    throw error;
  });
  const reader = answer.body.getReader();
  const read = async () => {
    const part = await reader.read();
    if (part.done) settle();
    return part;
  };
  return Object.defineProperty(answer, "body", { value: { getReader: () => ({ read }) } });
};
addEventListener("storage", () => (frontend.stored += 1)); // another tab changed the storage

/** Prints everything about an error to the console. */
const note = (error) => console.error(error, JSON.stringify({ ...error }), error.stack);

/** Creates the source. `getBearer` returns the bearers in order, and then the last one again. */
frontend.start = (url, bearers, options) => {
  const left = [...bearers];
  const getBearer = ({ refresh }) => {
    frontend.bearersAsked.push(refresh);
    return left.length > 1 ? left.shift() : left[0];
  };
  frontend.source = createTokenSource({ url, getBearer, ...options });
};

/** Requests a token and keeps the outcome, which is null until then. */
frontend.ask = (request) => {
  frontend.outcome = null;
  const keep = (outcome) => (frontend.outcome = outcome);
  frontend.source.token(request).then(keep, (error) => {
    note(error);
    const { code, status, retryAfterSeconds } = error;
    keep(JSON.parse(JSON.stringify({ code, status, retryAfterSeconds })));
  });
};

/** Everything that outlives the page, by its place. */
frontend.kept = async () => ({
  localStorage: { ...localStorage },
  sessionStorage: { ...sessionStorage },
  cookies: document.cookie,
  databases: await indexedDB.databases(),
  caches: await caches.keys(),
  history: history.state,
  name: window.name,
});

/** Requests a token as an app that does not handle errors. */
frontend.askInPassing = (request) => {
  frontend.source.token(request);
};
