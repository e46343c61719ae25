'use strict';
// A bot that joins every open conversation as MANAGER and sends a picture.
//
//   . data/demo.env
//   cd examples/bots && npm install && node picture-bot.js [PICTURE]
//
// Nothing in it is made for talkwire: it runs wherever node-agent-sdk does.

const fs = require('fs');
const https = require('https');
const path = require('path');
const {Agent} = require('node-agent-sdk');

const picture = path.resolve(process.argv[2] || path.join(__dirname, '../pictures/cat.jpg'));
const fileType = path.extname(picture).slice(1).toUpperCase();
const storage = process.env.LP_SWIFT;

const bot = new Agent({
    accountId: process.env.LP_ACCOUNT,
    username: process.env.LP_BOT_USER,
    password: process.env.LP_BOT_PASS,
    csdsDomain: process.env.LP_CSDS,
});
const visited = new Set();

// A method of the SDK as a promise. Old versions lack the one for uploads, but let any request through.
const ask = (method, body) => new Promise((resolve, reject) => {
    const done = (error, answer) => (error ? reject(error) : resolve(answer));
    if (bot[method]) bot[method](body, done);
    else bot.request(`.ams.ms.G${method.slice(1)}`, body, done);
});

const put = url => new Promise((resolve, reject) => {
    const upload = https.request(url, {method: 'PUT'}, answer => {
        answer.resume();
        if (answer.statusCode === 201) resolve();
        else reject(new Error(`the storage answered ${answer.statusCode}`));
    });
    upload.on('error', reject);
    fs.createReadStream(picture).on('error', reject).pipe(upload);
});

async function visit(conversationId) {
    await ask('updateConversationField', {
        conversationId,
        conversationField: [{field: 'ParticipantsChange', type: 'ADD', role: 'MANAGER'}],
    });
    const fileSize = fs.statSync(picture).size;
    const {relativePath, queryParams} = await ask('generateURLForUploadFile', {fileSize, fileType});
    await put(`https://${storage}${relativePath}?${new URLSearchParams(queryParams)}`);
    await ask('publishEvent', {
        dialogId: conversationId,
        event: {
            type: 'ContentEvent',
            contentType: 'hosted/file',
            message: {caption: 'For you', relativePath, fileType},
        },
    });
    console.log(`sent a picture to ${conversationId}`);
}

bot.on('cqm.ExConversationChangeNotification', ({changes}) => {
    for (const {type, result} of changes) {
        const there = result.conversationDetails.participants.some(({id}) => id === bot.agentId);
        if (type !== 'UPSERT' || there || visited.has(result.convId)) continue;
        visited.add(result.convId);
        visit(result.convId).catch(error => console.error(`${result.convId}:`, error));
    }
});
bot.on('connected', () => {
    console.log('connected');
    clearTimeout(comingBack);
    tokenIsGood = true;
    bot.subscribeExConversations({convState: ['OPEN']}, error => {
        if (error) console.error('cannot see the conversations:', error);
    });
});

// The SDK leaves coming back to us: with the same token, unless that was refused.
let tokenIsGood = true;
let comingBack;
const comeBack = () => {
    clearTimeout(comingBack);
    comingBack = setTimeout(() => bot.reconnect(tokenIsGood), 5000);
};
bot.on('closed', comeBack);
bot.on('error', error => {
    console.error('error:', error);
    if (/401/.test(`${error.code} ${error.message}`)) tokenIsGood = false;
    if (!bot.connected || !tokenIsGood) comeBack();
});
