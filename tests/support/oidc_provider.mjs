// Runs the certified oidc-provider on 127.0.0.1, and signs tokens with jose and jsonwebtoken.
//
// oidc_provider.py starts it with the folder of the npm packages. Each line of standard input is a
// request in JSON, and each line of standard output the response. It ends with its standard input.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

console.info = console.error; // standard output is for responses
console.warn = console.error;

const require = createRequire(`${process.argv[2]}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const jose = await load('jose');
const { default: Provider } = await load('oidc-provider');
const jsonwebtoken = require('jsonwebtoken');

const REDIRECT_URI = 'http://127.0.0.1/signed-in';
const keys = new Map();
const proofKey = await jose.generateKeyPair('ES256', { extractable: true });
let provider;
let logoutToken;

const server = createServer((request, response) => provider.callback()(request, response));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

function client(algorithm, service) {
  return {
    client_id: `${service ? 'service' : 'app'}-${algorithm}`,
    client_secret: 'only-for-tests',
    id_token_signed_response_alg: algorithm,
    grant_types: [service ? 'client_credentials' : 'authorization_code'],
    response_types: service ? [] : ['code'],
    redirect_uris: service ? [] : [REDIRECT_URI],
    ...(service ? {} : { backchannel_logout_uri: 'https://app.example.com/signed-out' }),
  };
}

function configuration(signing, algorithms, audience) {
  return {
    jwks: { keys: signing },
    cookies: { keys: ['only-for-tests'] },
    clients: algorithms.flatMap((name) => [client(name, true), client(name, false)]),
    clientDefaults: { id_token_signed_response_alg: algorithms[0] },
    enabledJWA: { idTokenSigningAlgValues: algorithms, dPoPSigningAlgValues: ['ES256'] },
    scopes: ['openid', 'calls:join', 'calls:publish'],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // The provider never reaches a client: what it would have sent is kept instead.
    fetch: async (_url, { body }) => {
      logoutToken = body.get('logout_token');
      return new Response(null, { status: 204 });
    },
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource, { idTokenSignedResponseAlg }) => ({
          audience,
          scope: 'calls:join calls:publish',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: idTokenSignedResponseAlg } },
        }),
        useGrantedResource: () => true,
      },
    },
  };
}

const operations = {
  async key({ algorithm, named }) {
    const pair = await jose.generateKeyPair(algorithm, { extractable: true });
    const kid = `${algorithm}-${1 + [...keys.keys()].filter((id) => id.startsWith(`${algorithm}-`)).length}`;
    keys.set(kid, { ...(await jose.exportJWK(pair.privateKey)), kid, ...(named && { alg: algorithm }), use: 'sig' });
    return { kid, jwk: { ...(await jose.exportJWK(pair.publicKey)), kid, ...(named && { alg: algorithm }), use: 'sig' } };
  },
  provide({ kids, algorithms, audience }) {
    provider = new Provider(issuer, configuration(kids.map((kid) => keys.get(kid)), algorithms, audience));
    return {};
  },
  async jose({ kid, secret, header, claims }) {
    const key = secret ? new TextEncoder().encode(secret) : await jose.importJWK(keys.get(kid), header.alg);
    return { token: await new jose.SignJWT(claims).setProtectedHeader(header).sign(key) };
  },
  jsonwebtoken({ secret, claims, options }) {
    return { token: jsonwebtoken.sign(claims, secret, options) };
  },
  async encrypt({ secret, claims }) {
    const key = createHash('sha256').update(secret).digest();
    return { token: await new jose.EncryptJWT(claims).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(key) };
  },
  async proof({ method, url }) {
    const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: await jose.exportJWK(proofKey.publicKey) };
    const claims = { htm: method, htu: url, jti: crypto.randomUUID() };
    return { token: await new jose.SignJWT(claims).setProtectedHeader(header).setIssuedAt().sign(proofKey.privateKey) };
  },
  async logout({ client_id: id, user }) {
    await (await provider.Client.find(id)).backchannelLogout(user, 'session-1');
    return { token: logoutToken };
  },
};

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ issuer });
for await (const line of createInterface({ input: process.stdin })) {
  const { operation, ...wanted } = JSON.parse(line);
  try {
    say(await operations[operation](wanted));
  } catch (error) {
    say({ error: String(error.stack ?? error) });
  }
}
process.exit(0);
