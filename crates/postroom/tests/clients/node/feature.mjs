// Runs the features of one client, each on rows of its own; the twin of ../feature.py, with the same environment.
// Node finds the certificate authority in NODE_EXTRA_CA_CERTS.

import assert from 'node:assert/strict';
import https from 'node:https';

export const URL = process.env.POSTROOM_URL;
export const TOKEN = process.env.POSTROOM_TOKEN;
export const SUFFIX = process.argv[2];
export const equal = assert.deepEqual;
export const NOBODY = '00000000-0000-0000-0000-00000000dead';

const features = [];

export function feature(name, work) {
  features.push([name, work]);
}

// A client may throw where nobody awaits it: that is a failure of the feature that runs.
let interrupt = () => {};
process.on('uncaughtException', (error) => interrupt(error));

export async function main() {
  let failed = 0;
  for (const [name, work] of features) {
    try {
      const interrupted = new Promise((_, reject) => {
        interrupt = reject;
      });
      await Promise.race([work(), interrupted]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      const told = error instanceof Error ? error.message : JSON.stringify(error);
      console.log(`FAIL ${name}: ${String(told).replace(/\s+/g, ' ')}`);
      if (error?.stack) console.error(error.stack);
    }
  }
  console.log(`${features.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

/** What the promise is refused with. */
export async function refusal(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`it should have been refused, and answered ${JSON.stringify(answer)}`);
}

/** The Web API by hand: status, headers and parsed body. */
export function call(method, path, body, headers = {}) {
  const asked = {
    method,
    headers: { Authorization: `Bearer ${TOKEN}`, Accept: 'application/json', 'Content-Type': 'application/json', ...headers },
  };
  return new Promise((resolve, reject) => {
    const request = https.request(`${URL}/api/data/v9.2/${encodeURI(path)}`, asked, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        let said = text;
        try {
          said = JSON.parse(text);
        } catch {
          // no JSON: the text itself
        }
        resolve({ status: answer.statusCode, headers: answer.headers, said });
      });
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export async function create(set, body) {
  const { status, headers, said } = await call('POST', set, body);
  assert.equal(status, 204, `POST ${set}: ${status} ${JSON.stringify(said)}`);
  return /\(([^()]*)\)$/.exec(headers['odata-entityid'])[1];
}

export async function row(path) {
  const { status, said } = await call('GET', path);
  assert.equal(status, 200, `GET ${path}: ${status} ${JSON.stringify(said)}`);
  return said;
}

export async function rows(path) {
  return (await row(path)).value;
}

export async function gone(path) {
  return (await call('GET', path)).status === 404;
}

export function account(name, columns = {}) {
  return create('accounts', { name: `${name} ${SUFFIX}`, ...columns });
}

export function contact(lastname, columns = {}) {
  return create('contacts', { lastname: `${lastname} ${SUFFIX}`, ...columns });
}

/** So many contacts with this last name and first names 0, 1, …; their ids. */
export async function group(lastname, count, columns = {}) {
  const ids = [];
  for (let number = 0; number < count; number += 1) ids.push(await contact(lastname, { firstname: String(number), ...columns }));
  return ids;
}

/** The filter that finds a group. */
export function of(lastname) {
  return `lastname eq '${lastname} ${SUFFIX}'`;
}

export async function firstnames(lastname) {
  const found = await rows(`contacts?$select=firstname&$filter=${of(lastname)}&$orderby=firstname`);
  return found.map((one) => one.firstname);
}

export function label(text) {
  return { LocalizedLabels: [{ Label: text, LanguageCode: 1033 }] };
}

/** The definition of a text column. */
export function text(name, primary = false) {
  return {
    '@odata.type': 'Microsoft.Dynamics.CRM.StringAttributeMetadata',
    SchemaName: name,
    IsPrimaryName: primary,
    MaxLength: 100,
    FormatName: { Value: 'Text' },
    RequiredLevel: { Value: 'None' },
    DisplayName: label(name),
  };
}

/** The definition of a custom table with a name column. */
export function table(name, ...columns) {
  return {
    '@odata.type': 'Microsoft.Dynamics.CRM.EntityMetadata',
    SchemaName: name,
    DisplayName: label(name),
    DisplayCollectionName: label(`${name}s`),
    OwnershipType: 'UserOwned',
    HasActivities: false,
    HasNotes: false,
    IsActivity: false,
    Attributes: [text('new_Name', true), ...columns],
  };
}

/** Makes a custom table; answers its logical name and its set. */
export async function madeTable(stem, ...columns) {
  const name = `new_${stem}${SUFFIX}`;
  await create('EntityDefinitions', table(name));
  const logical = name.toLowerCase();
  for (const column of columns) await create(`EntityDefinitions(LogicalName='${logical}')/Attributes`, column);
  const told = await row(`EntityDefinitions(LogicalName='${logical}')?$select=EntitySetName,MetadataId`);
  return { logical, set: told.EntitySetName, id: told.MetadataId };
}
