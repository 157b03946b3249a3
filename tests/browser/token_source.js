/** What a frontend does with a token source, for `test_token_source.py` to drive. */

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
  const read = answer.text.bind(answer);
  answer.text = () => read().finally(settle);
  return answer;
};
addEventListener("storage", () => (frontend.stored += 1)); // what another tab does with a storage

/** All that there is of an error, in the console. */
const note = (error) => console.error(error, JSON.stringify({ ...error }), error.stack);

/** Bearers in the order of asking; the last of them stays. */
frontend.start = (url, bearers, options) => {
  const left = [...bearers];
  const getBearer = ({ refresh }) => {
    frontend.bearersAsked.push(refresh);
    return left.length > 1 ? left.shift() : left[0];
  };
  frontend.source = createTokenSource({ url, getBearer, ...options });
};

/** Asks, and keeps what comes of it: the outcome is null until there is one. */
frontend.ask = (request) => {
  frontend.outcome = null;
  const keep = (outcome) => (frontend.outcome = outcome);
  frontend.source.token(request).then(keep, (error) => {
    note(error);
    const { code, status, retryAfterSeconds } = error;
    keep(JSON.parse(JSON.stringify({ code, status, retryAfterSeconds })));
  });
};

/** What outlives the page, by where it is. */
frontend.kept = async () => ({
  localStorage: { ...localStorage },
  sessionStorage: { ...sessionStorage },
  cookies: document.cookie,
  databases: await indexedDB.databases(),
  caches: await caches.keys(),
  history: history.state,
  name: window.name,
});

/** As an app does that lets an error go into nothing. */
frontend.askInPassing = (request) => {
  frontend.source.token(request);
};
