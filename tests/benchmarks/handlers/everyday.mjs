// A token service in Node.js as a good engineer writes it from tutorials: a baseline. It does the same as everyday.py.

import { createCipheriv, randomBytes, randomInt } from "node:crypto";

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const LIFETIME_SECONDS = 3600;
const SECRET_TTL_MS = 60_000;

const { AUDIENCE, ISSUER, JWKS_URI, SERVER_SECRET_ARN } = process.env;
const secretsManager = new SecretsManagerClient({});
const jwks = createRemoteJWKSet(new URL(JWKS_URI));

let cached = { readAt: -Infinity };

async function serverSecret() {
  if (Date.now() - cached.readAt > SECRET_TTL_MS) {
    const command = new GetSecretValueCommand({ SecretId: SERVER_SECRET_ARN });
    const { SecretString } = await secretsManager.send(command);
    cached = { readAt: Date.now(), value: JSON.parse(SecretString) };
  }
  return cached.value;
}

function token04(secret, userId, roomId, issuedAt) {
  const expiresAt = issuedAt + LIFETIME_SECONDS;
  const claims = JSON.stringify({
    app_id: secret.app_id,
    user_id: userId,
    nonce: randomInt(2 ** 31),
    ctime: issuedAt,
    expire: expiresAt,
    payload: JSON.stringify({ room_id: roomId, privilege: { 1: 1, 2: 1 }, stream_id_list: null }),
  });
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", secret.server_secret, iv);
  const sealed = Buffer.concat([cipher.update(claims, "utf8"), cipher.final(), cipher.getAuthTag()]);
  const head = Buffer.alloc(24);
  head.writeBigInt64BE(BigInt(expiresAt), 0);
  head.writeUInt16BE(12, 8);
  iv.copy(head, 10);
  head.writeUInt16BE(sealed.length, 22);
  return "04" + Buffer.concat([head, sealed, Buffer.of(1)]).toString("base64");
}

function response(statusCode, document) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(document) };
}

export async function handler(event) {
  const bearer = (event.headers.authorization ?? "").replace(/^Bearer /, "");
  let claims;
  try {
    const options = { algorithms: ["RS256"], audience: AUDIENCE, issuer: ISSUER };
    claims = (await jwtVerify(bearer, jwks, options)).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return response(401, { message: error.message });
    throw error;
  }
  const { room_id: roomId } = JSON.parse(event.body);
  const secret = await serverSecret();
  const issuedAt = Math.floor(Date.now() / 1000);
  return response(201, {
    token: token04(secret, claims.sub, roomId, issuedAt),
    user_id: claims.sub,
    room_id: roomId,
    expires_at: issuedAt + LIFETIME_SECONDS,
  });
}
