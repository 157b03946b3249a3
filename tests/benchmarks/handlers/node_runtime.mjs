// Runs a Node.js handler under Lambda's Runtime API: node node_runtime.mjs FILE. Lambda's own client, aws-lambda-ric, has
// to be compiled. Interface: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import http from "node:http";
import { createRequire } from "node:module";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body = "") {
  return new Promise((resolve, reject) => {
    const headers = { "content-length": Buffer.byteLength(body) };
    const options = { host, port, agent, method, headers, path: `/2018-06-01/runtime/${path}` };
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const described = (error) =>
  JSON.stringify({ errorType: error.name, errorMessage: error.message, stackTrace: [] });

let handler;
try {
  ({ handler } = createRequire(import.meta.url)(process.argv[2]));
} catch (error) {
  await call("POST", "init/error", described(error));
  process.exit(1);
}
for (;;) {
  const next = await call("GET", "invocation/next");
  const id = next.headers["lambda-runtime-aws-request-id"];
  try {
    const result = await handler(JSON.parse(next.body), { awsRequestId: id });
    await call("POST", `invocation/${id}/response`, JSON.stringify(result));
  } catch (error) {
    await call("POST", `invocation/${id}/error`, described(error));
  }
}
