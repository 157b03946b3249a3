/** The page: each module fills its own part. If one fails to load, the page does. */

import { byId, code, copyButton, element } from "./dom.js";
import { begin } from "./live.js";
import { stack } from "./stack.js";
import "./ask.js";
import "./login.js";
import "./refusals.js";
import "./inspect.js";
import "./secret.js";
import "./console.js";
import "./rotation.js";
import "./watcher.js";
import "./log.js";
import "./story.js";

byId("parts").append(
  ...[
    ["API", stack.api],
    ["identity provider", stack.identity_provider],
    ["Secrets Manager", stack.secrets_manager],
    ["ZEGO", stack.zego],
    ["event bus", stack.events],
    ["AppID", stack.app_id],
  ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, code(value))]),
);
byId("curl").textContent = stack.curl;
byId("curl").closest("details").append(copyButton(() => stack.curl, "Copy the command"));
begin();
