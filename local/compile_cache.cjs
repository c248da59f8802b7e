// Keeps V8's bytecode of large modules in the directory NODE_COMPILE_CACHE, as Node.js 22 does.
//
// `local/stack.py` loads it into the CDK CLI, a module of 16 MB. Compiling it takes a third of the
// CPU of a deployment.

"use strict";

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

const SMALLEST = 1 << 20;
const PARAMETERS = "exports, require, module, __filename, __dirname, importBuiltin";
const directory = process.env.NODE_COMPILE_CACHE;
const compile = Module.prototype._compile;

const importBuiltin = (name) => import(name);

function compileWithCache(content, filename) {
  if (content.length < SMALLEST) return compile.call(this, content, filename);
  // V8 compares no more than the lengths of two sources, and jsii gives all its files one time.
  const digest = createHash("sha1").update(content).digest("hex");
  const file = path.join(directory, `${path.basename(filename)}-${digest}`);
  const cachedData = fs.existsSync(file) ? fs.readFileSync(file) : undefined;
  // A script from a cache cannot import modules itself (nodejs/node#43663).
  const body = content.replaceAll('await import("node:', 'await importBuiltin("node:');
  const script = new vm.Script(`(function (${PARAMETERS}) {${body}\n})`, { filename, cachedData });
  if (!cachedData || script.cachedDataRejected) {
    // At the end, so that it has the functions that were called, too.
    process.once("exit", () => write(file, script.createCachedData()));
  }
  const own = Module.createRequire(filename);
  const names = [filename, path.dirname(filename)];
  return script.runInThisContext().call(this.exports, this.exports, own, this, ...names, importBuiltin);
}

function write(file, data) {
  // Other processes may write the same file.
  const part = `${file}.${process.pid}`;
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(part, data);
  fs.renameSync(part, file);
}

if (directory && !Module.enableCompileCache) Module.prototype._compile = compileWithCache;
