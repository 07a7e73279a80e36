// dataverse-webapi, its Node half.

import * as client from 'dataverse-webapi/lib/node';
import { SUFFIX, TOKEN, URL, call, equal, feature, main, madeTable, row, text } from './feature.mjs';
import { exercise } from './webapi-features.mjs';

exercise(client, {});

feature('retrieve by an alternate key', async () => {
  const { logical, set } = await madeTable('WaKey', text('new_Code'));
  const key = { SchemaName: `new_WaCode${SUFFIX}`, KeyAttributes: ['new_code'] };
  equal((await call('POST', `EntityDefinitions(LogicalName='${logical}')/Keys`, key)).status, 204);
  equal((await call('POST', set, { new_name: 'n', new_code: 'A1' })).status, 204);
  const api = new client.WebApiConfig('9.2', TOKEN, URL);
  equal((await client.retrieveAlternateKey(api, set, "new_code='A1'", '$select=new_name')).new_name, 'n');
});

feature('headers of its own', async () => {
  const api = new client.WebApiConfig('9.2', TOKEN, URL);
  const me = (await row('WhoAmI')).UserId;
  const told = await client.retrieveMultiple(api, 'systemusers', `$select=systemuserid&$filter=systemuserid%20eq%20${me}`, { customHeaders: { MSCRMCallerID: me } });
  equal(told.value.length, 1);
});

await main();
