/*
 * s3 - an S3 server over TLS for the bed: one bucket, one key pair, faults on demand.
 *
 * usage: node --openssl-legacy-provider s3.js PORT DIRECTORY BUCKET
 *        (the legacy provider: s3rver makes its continuation tokens with DES)
 *
 * environment: S3_KEY, S3_SECRET             the only key pair that is let in
 *              S3_TLS_KEY, S3_TLS_CERTIFICATE  PEM files
 *              S3_FAULT                      a JSON file; while it exists, its fault is served
 *
 * A fault: {"status": 503}      this answer, with the error code "code"
 *          {"delay_ms": 5000}   wait first, then go on
 *          {"hang": true}       never answer
 *          {"drip": 500}        an answer without end, one byte per so many milliseconds
 *          {"headers": {...}}   set these response headers
 *          {"match": "regex"}   only requests whose "METHOD URL" matches
 */
'use strict';

const fs = require('fs');
const path = require('path');
const { randomUUID } = require('crypto');
const { Readable } = require('stream');
const { setTimeout: sleep } = require('timers/promises');

const S3rver = require('@20minutes/s3rver');
const Account = require('@20minutes/s3rver/lib/models/account');
const S3Object = require('@20minutes/s3rver/lib/models/object');
const signatureV4 = require('@20minutes/s3rver/lib/signature/v4');
const FilesystemStore = require('@20minutes/s3rver/lib/stores/filesystem');

const OBJECT_SUFFIX = '._S3rver_object';
const sentPaths = new WeakMap(); // of a request's headers, which is what the signature code sees
const DRIPS = 100000;

function onlyOurKeyPair() {
  Account.DUMMY_ACCOUNT.revokeAccessKey('S3RVER');
  new Account(123456789000, 'bed').createKeyPair(process.env.S3_KEY, process.env.S3_SECRET);
}

// The path goes into the signature as it was sent; s3rver rebuilds it and loses a last "/".
function signPathsAsSent() {
  const original = signatureV4.getStringToSign;
  signatureV4.getStringToSign = (request, signature) => {
    const lost = sentPaths.get(request.headers).endsWith('/') && !request.uri.endsWith('/');
    return original(lost ? { ...request, uri: request.uri + '/' } : request, signature);
  };
}

function* filesBelow(folder) {
  const entries = fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : [];
  for (const entry of entries) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(name);
    else yield name;
  }
}

function keysWithPrefix(bucketPath, prefix) {
  const folder = path.join(bucketPath, prefix.slice(0, prefix.lastIndexOf('/') + 1));
  return [...filesBelow(folder)]
    .filter((file) => file.endsWith(OBJECT_SUFFIX))
    .map((file) => path.relative(bucketPath, file).slice(0, -OBJECT_SUFFIX.length))
    .filter((key) => key.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

// One page: a key with the delimiter behind the prefix is told as its common prefix. Only keys
// count against maxKeys, because s3rver names the page after its last key.
function pageOf(keys, { delimiter, prefix, maxKeys }) {
  const page = { keys: [], commonPrefixes: new Set(), isTruncated: false };
  for (const key of keys) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    if (end === -1 && page.keys.length >= maxKeys) {
      page.isTruncated = maxKeys > 0;
      break;
    }
    if (end === -1) page.keys.push(key);
    else page.commonPrefixes.add(key.slice(0, end + delimiter.length));
  }
  // Common prefixes behind the last key are found again by the next page.
  const last = page.keys[page.keys.length - 1];
  const told = [...page.commonPrefixes].filter((name) => !page.isTruncated || name < last);
  return { ...page, commonPrefixes: told };
}

// s3rver's own listing lacks a common prefix whose objects all lie two or more levels down.
function listAsS3Does() {
  FilesystemStore.prototype.listObjects = async function listObjects(bucket, options) {
    const { delimiter = '', startAfter = '', prefix = '', maxKeys = Infinity } = options;
    const keys = keysWithPrefix(this.getBucketPath(bucket), prefix).filter((key) => key > startAfter);
    const page = pageOf(keys, { delimiter, prefix, maxKeys });
    const objects = await Promise.all(page.keys.map((key) => describe(this, bucket, key)));
    return { ...page, objects: objects.filter(Boolean) };
  };
}

async function describe(store, bucket, key) {
  try {
    return new S3Object(bucket, key, null, await store.getMetadata(bucket, key));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined; // deleted since it was listed
    throw error;
  }
}

// An object appears whole or not at all; s3rver writes it in place.
function storeWhole() {
  const original = FilesystemStore.prototype.putContent;
  FilesystemStore.prototype.putContent = async function putContent(file, content) {
    const part = `${file}.${randomUUID()}.part`;
    const stream = Buffer.isBuffer(content) ? Readable.from([content]) : content;
    const written = await original.call(this, part, stream);
    await fs.promises.rename(part, file);
    return written;
  };
}

async function rememberSentPath(ctx, next) {
  sentPaths.set(ctx.headers, ctx.path);
  await next();
}

function refuse(ctx, status, code) {
  ctx.status = status;
  ctx.type = 'application/xml';
  ctx.body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
}

async function refuseAnonymous(ctx, next) {
  const signed = ctx.headers.authorization || ctx.query['X-Amz-Algorithm'];
  if (!signed) return refuse(ctx, 403, 'AccessDenied');
  return next();
}

function currentFault(ctx) {
  try {
    const fault = JSON.parse(fs.readFileSync(process.env.S3_FAULT, 'utf8'));
    return new RegExp(fault.match || '').test(`${ctx.method} ${ctx.url}`) ? fault : {};
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

async function* drips(milliseconds) {
  yield '<?xml version="1.0"?>';
  for (let i = 0; i < DRIPS; i++) {
    await sleep(milliseconds);
    yield ' ';
  }
}

function drip(ctx, milliseconds) {
  ctx.status = 200;
  ctx.type = 'application/xml';
  ctx.body = Readable.from(drips(milliseconds), { objectMode: false });
}

async function serveFault(ctx, next) {
  const fault = currentFault(ctx);
  if (fault.headers) ctx.set(fault.headers);
  if (fault.hang) await new Promise(() => {});
  if (fault.delay_ms) await sleep(fault.delay_ms);
  if (fault.drip) return drip(ctx, fault.drip);
  if (fault.status) return refuse(ctx, fault.status, fault.code || 'Injected');
  return next();
}

function serve(port, directory, bucket) {
  const server = new S3rver({
    address: '127.0.0.1',
    port: Number(port),
    directory,
    vhostBuckets: false,
    key: fs.readFileSync(process.env.S3_TLS_KEY),
    cert: fs.readFileSync(process.env.S3_TLS_CERTIFICATE),
    configureBuckets: [{ name: bucket }],
  });
  server.middleware.unshift(serveFault, refuseAnonymous, rememberSentPath);
  server.run((error) => {
    if (error) throw error;
    console.log(`listening on 127.0.0.1:${port}`);
  });
}

onlyOurKeyPair();
signPathsAsSent();
listAsS3Does();
storeWhole();
serve(...process.argv.slice(2));
