// The features that dataverse-webapi and its elder xrm-webapi share. Both speak https on port 443 whatever the URL says.

import { NOBODY, SUFFIX, TOKEN, URL, account, contact, equal, feature, firstnames, gone, group, of, refusal, row, rows } from './feature.mjs';

const FORMATTED = '@OData.Community.Display.V1.FormattedValue';

/** Marks the features of one of the two: `client` is its module, `annotated` the options with which it asks for annotations. */
export function exercise(client, annotated) {
  // The configuration changes under retrieveMultipleNextPage: each feature makes its own.
  const api = (version = '9.2', token = TOKEN) => new client.WebApiConfig(version, token, URL);

  feature('create, createWithReturnData', async () => {
    const made = await client.create(api(), 'contacts', { lastname: `Wa create ${SUFFIX}`, firstname: 'plain' });
    equal((await row(`contacts(${made})`)).firstname, 'plain');
    const told = await client.createWithReturnData(api(), 'contacts', { lastname: `Wa create ${SUFFIX}`, firstname: 'b' }, '$select=firstname');
    equal([told.firstname, told.contactid.length], ['b', 36]);
  });

  feature('create with a lookup', async () => {
    const parent = await account('Wa parent');
    const made = await client.create(api(), 'contacts', { lastname: `Wa child ${SUFFIX}`, 'parentcustomerid_account@odata.bind': `/accounts(${parent})` });
    equal((await row(`contacts(${made})`))._parentcustomerid_value, parent);
  });

  feature('retrieve, annotated', async () => {
    const made = await contact('Wa retrieve', { firstname: 'there' });
    const told = await client.retrieve(api(), 'contacts', `{${made}}`, '$select=firstname,statecode', annotated);
    equal([told.firstname, told[`statecode${FORMATTED}`]], ['there', 'Active']);
  });

  feature('retrieveMultiple and its next page', async () => {
    await group('Wa pages', 5);
    const query = `?$select=firstname&$filter=${of('Wa pages').replaceAll(' ', '%20')}&$orderby=firstname`;
    const first = await client.retrieveMultiple(api(), 'contacts', query, { maxPageSize: 2 });
    equal(first.value.map((one) => one.firstname), ['0', '1']);
    const second = await client.retrieveMultipleNextPage(api(), first['@odata.nextLink'], { maxPageSize: 2 });
    equal(second.value.map((one) => one.firstname), ['2', '3']);
    const third = await client.retrieveMultipleNextPage(api(), second['@odata.nextLink'], { maxPageSize: 2 });
    equal([third.value.map((one) => one.firstname), '@odata.nextLink' in third], [['4'], false]);
  });

  feature('update, updateWithReturnData, updateProperty', async () => {
    const made = await contact('Wa update');
    await client.update(api(), 'contacts', made, { firstname: 'a' });
    equal((await row(`contacts(${made})`)).firstname, 'a');
    const told = await client.updateWithReturnData(api(), 'contacts', made, { firstname: 'b' }, '$select=firstname');
    equal(told.firstname, 'b');
    await client.updateProperty(api(), 'contacts', made, 'jobtitle', 'Chief');
    equal((await row(`contacts(${made})`)).jobtitle, 'Chief');
  });

  feature('update of a row that is not there makes it', async () => {
    const own = `${SUFFIX}-0000-4000-8000-0000000000a1`;
    await client.update(api(), 'contacts', own, { lastname: `Wa made ${SUFFIX}` });
    equal((await row(`contacts(${own})`)).lastname, `Wa made ${SUFFIX}`);
  });

  feature('deleteRecord, deleteProperty', async () => {
    const made = await contact('Wa delete', { jobtitle: 'x' });
    await client.deleteProperty(api(), 'contacts', made, 'jobtitle');
    equal((await row(`contacts(${made})?$select=jobtitle`)).jobtitle, null);
    await client.deleteRecord(api(), 'contacts', made);
    equal(await gone(`contacts(${made})`), true);
  });

  feature('associate, disassociate', async () => {
    const parent = await account('Wa relate');
    const one = await contact('Wa relate');
    await client.associate(api(), 'accounts', parent, 'contact_customer_accounts', 'contacts', one);
    equal((await row(`contacts(${one})`))._parentcustomerid_value, parent);
    await client.disassociate(api(), 'accounts', parent, 'contact_customer_accounts', one);
    equal((await row(`contacts(${one})`))._parentcustomerid_value, null);
  });

  feature('disassociate a single-valued navigation', async () => {
    const one = await contact('Wa primary');
    const parent = await account('Wa primary', { 'primarycontactid@odata.bind': `/contacts(${one})` });
    await client.disassociate(api(), 'accounts', parent, 'primarycontactid');
    equal((await row(`accounts(${parent})`))._primarycontactid_value, null);
  });

  feature('functions, with inputs and aliases', async () => {
    equal((await client.unboundFunction(api(), 'WhoAmI')).UserId.length, 36);
    const inputs = [{ name: 'EntityNames', alias: 'p1', value: '["contact"]' }];
    const told = await client.unboundFunction(api(), 'RetrieveTotalRecordCount', inputs);
    equal(told.EntityRecordCountCollection.Keys, ['contact']);
    const me = (await row('WhoAmI')).UserId;
    const rights = await client.boundFunction(api(), 'systemusers', me, 'RetrieveUserPrivileges');
    equal(rights.RolePrivileges.length > 0, true);
  });

  feature('actions, bound and unbound, with and without inputs', async () => {
    equal(await client.unboundAction(api(), 'PublishAllXml') ?? null, null);
    const made = await client.create(api(), 'queues', { name: `Wa ${SUFFIX}` });
    const task = await client.create(api(), 'tasks', { subject: `Wa ${SUFFIX}` });
    const target = { Target: { '@odata.type': 'Microsoft.Dynamics.CRM.task', activityid: task } };
    const told = await client.boundAction(api(), 'queues', made, 'AddToQueue', target);
    equal((await row(`queueitems(${told.QueueItemId})`))._objectid_value, task);
  });

  feature('a batch: a change set and reads', async () => {
    const there = await contact('Wa batch', { firstname: 'there' });
    const changes = [
      { method: 'POST', queryString: 'contacts', entity: { lastname: `Wa batch ${SUFFIX}`, firstname: 'new' } },
      { method: 'PATCH', queryString: `contacts(${there})`, entity: { firstname: 'updated' } },
    ];
    const reads = [`contacts?$select=firstname&$filter=contactid%20eq%20${there}`];
    const told = await client.batchOperation(api(), SUFFIX, `c${SUFFIX}`, changes, reads, annotated);
    equal(await firstnames('Wa batch'), ['new', 'updated']);
    equal(told.length, 3);
    equal(told[2].data.value[0].firstname, 'updated');
  });

  feature('a batch: all or nothing', async () => {
    const changes = [
      { method: 'POST', queryString: 'contacts', entity: { lastname: `Wa undone ${SUFFIX}`, firstname: 'x' } },
      { method: 'POST', queryString: 'contacts', entity: { nosuchcolumn: 1 } },
    ];
    const error = await refusal(client.batchOperation(api(), SUFFIX, `c${SUFFIX}`, changes, []));
    equal([typeof error.code, /nosuchcolumn/.test(error.message), await firstnames('Wa undone')], ['string', true, []]);
  });

  feature('other versions of the API', async () => {
    for (const version of ['9.0', '9.1']) equal((await client.unboundFunction(api(version), 'WhoAmI')).UserId.length, 36);
  });

  feature('impersonation', async () => {
    const error = await refusal(client.retrieveMultiple(api(), 'contacts', '$top=1', { impersonateUserId: NOBODY }));
    equal([/^0x/.test(error.code), typeof error.message], [true, 'string']);
  });

  feature('errors', async () => {
    equal((await refusal(client.retrieve(api(), 'contacts', NOBODY))).code, '0x80040217');
    equal(typeof (await refusal(client.retrieveMultiple(api(), 'nosuchthings'))).message, 'string');
    equal(Array.isArray(await rows('contacts?$top=1')), true);
    const error = await refusal(client.retrieveMultiple(api('9.2', 'wrong'), 'contacts'));
    equal(typeof error.message, 'string');
  });
}
