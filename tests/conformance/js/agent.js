'use strict';
// An agent on the end of a pipe: one version of node-agent-sdk, unmodified, does what lines of input tell it
// and says on lines of output what it hears. `node agent.js VERSION '{"accountId": …}'`
//
//   in:  {"n": 1, "call": "publishEvent", "args": [{…}]}    a method of the SDK that takes a callback
//   out: {"n": 1, "body": …}  or  {"n": 1, "error": …}
//   out: {"event": "notification", "data": {"type": …, "body": …}}, and "connected", "closed", "error", "pong"
//   out: {"event": "http", "data": {"method", "path", "status"}}: every answer to the SDK's own REST calls

const diagnostics = require('diagnostics_channel');
const fs = require('fs');
const readline = require('readline');
const request = require('request');

const [version, conf] = process.argv.slice(2);
const {Agent} = require(`node-agent-sdk-${version}`);

const say = line => process.stdout.write(`${JSON.stringify(line)}\n`);
const tell = (event, data) => say({event, data});
const plain = error => (error instanceof Error ? {message: error.message, code: error.code, payload: error.payload} : error);

diagnostics.channel('http.client.response.finish').subscribe(({request: asked, response}) =>
    tell('http', {method: asked.method, path: asked.path, status: response.statusCode}));

const sdk = new Agent(JSON.parse(conf));
sdk.on('connected', () => {
    tell('connected', {agentId: sdk.agentId, oldId: sdk.__oldAgentId});
    sdk.transport.ws.once('pong', () => tell('pong'));
});
sdk.on('closed', code => tell('closed', code));
sdk.on('error', error => tell('error', plain(error)));
sdk.on('warn', warning => tell('warn', warning));
sdk.on('notification', ({type, body}) => tell('notification', {type, body}));

// What a bot does beside the SDK: move the bytes of a file. A stream, so chunked and without a length.
const errands = {
    put: (url, path, done) => fs.createReadStream(path).pipe(
        request.put(url, (error, response, body) => done(error, response && {status: response.statusCode, body}))),
    get: (url, path, done) => request.get({url, encoding: null}, (error, response, body) => {
        if (!error) fs.writeFileSync(path, body);
        done(error, response && {status: response.statusCode, type: response.headers['content-type']});
    }),
    reconnect: (sameToken, done) => { sdk.reconnect(sameToken); done(null); },
    // 0.2.22 and 1.1.6 offer any request; 1.2.0 has it under another name
    request: (...args) => (sdk.request || sdk._createAndSendRequest).apply(sdk, args),
};

const lines = readline.createInterface({input: process.stdin});
lines.on('line', line => {
    const {n, call, args} = JSON.parse(line);
    const done = (error, body) => say(error ? {n, error: plain(error)} : {n, body});
    if (errands[call]) errands[call](...args, done);
    else sdk[call](...args, done);
});
lines.on('close', () => { sdk.dispose(); process.exit(0); });
