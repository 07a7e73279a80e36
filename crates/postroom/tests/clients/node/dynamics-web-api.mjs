// DynamicsWebApi: rows, associations, queries, FetchXML, functions, actions, change tracking, files.

import { DynamicsWebApi } from 'dynamics-web-api';
import { NOBODY, SUFFIX, TOKEN, URL, account, call, contact, equal, feature, firstnames, gone, group, main, madeTable, of, refusal, row, rows, text } from './feature.mjs';
import './dynamics-web-api-batches.mjs';
import './dynamics-web-api-definitions.mjs';

const config = { serverUrl: URL, onTokenRefresh: async () => TOKEN, dataApi: { version: '9.2' } };
const web = new DynamicsWebApi(config);

feature('create', async () => {
  const made = await web.create({ collection: 'contacts', data: { lastname: `Dwa create ${SUFFIX}`, firstname: 'Zoë 😀' } });
  equal((await row(`contacts(${made})`)).firstname, 'Zoë 😀');
});

feature('create and have it returned', async () => {
  const data = { lastname: `Dwa returned ${SUFFIX}`, firstname: 'x' };
  const made = await web.create({ collection: 'contacts', data, returnRepresentation: true, select: ['firstname'] });
  equal([made.firstname, made.contactid.length], ['x', 36]);
});

feature('create with related rows (deep insert)', async () => {
  const name = `Dwa deep ${SUFFIX}`;
  const data = {
    name,
    primarycontactid: { lastname: `Dwa deep one ${SUFFIX}`, firstname: 'one' },
    contact_customer_accounts: [{ lastname: name, firstname: 'a' }, { lastname: name, firstname: 'b' }],
  };
  const made = await web.create({ collection: 'accounts', data });
  const told = await row(`accounts(${made})?$expand=primarycontactid($select=firstname),contact_customer_accounts($select=firstname;$orderby=firstname)`);
  equal(told.primarycontactid.firstname, 'one');
  equal(told.contact_customer_accounts.map((one) => one.firstname), ['a', 'b']);
});

feature('create with duplicate detection and without plug-ins', async () => {
  const data = { lastname: `Dwa options ${SUFFIX}` };
  const made = await web.create({ collection: 'contacts', data, duplicateDetection: true, bypassCustomPluginExecution: true });
  equal(made.length, 36);
});

feature('retrieve', async () => {
  const made = await contact('Dwa retrieve', { firstname: 'there' });
  const told = await web.retrieve({ collection: 'contacts', key: `{${made.toUpperCase()}}`, select: ['firstname', 'statecode'], includeAnnotations: '*' });
  equal([told.contactid, told.firstname, told.statecode_Formatted], [made, 'there', 'Active']);
  equal((await refusal(web.retrieve({ collection: 'contacts', key: NOBODY }))).status, 404);
});

feature('retrieve with expand, annotated', async () => {
  const parent = await account('Dwa expand');
  const made = await contact('Dwa expand', { 'parentcustomerid_account@odata.bind': `/accounts(${parent})` });
  const told = await web.retrieve({
    collection: 'contacts',
    key: made,
    select: ['_parentcustomerid_value'],
    expand: [{ property: 'parentcustomerid_account', select: ['name'] }],
    includeAnnotations: '*',
  });
  equal(told.parentcustomerid_account.name, `Dwa expand ${SUFFIX}`);
  equal(told._parentcustomerid_value_LogicalName, 'account');
  equal(told._parentcustomerid_value_NavigationProperty, 'parentcustomerid_account');
  equal(told._parentcustomerid_value_Formatted, `Dwa expand ${SUFFIX}`);
});

feature('retrieve of a navigation, of a column, of a reference', async () => {
  const one = await contact('Dwa nav', { firstname: 'n' });
  const made = await account('Dwa nav', { 'primarycontactid@odata.bind': `/contacts(${one})` });
  const key = { collection: 'accounts', key: made };
  equal((await web.retrieve({ ...key, navigationProperty: 'primarycontactid', select: ['firstname'] })).firstname, 'n');
  equal((await web.retrieve({ ...key, select: ['/name'] })).value, `Dwa nav ${SUFFIX}`);
  const reference = await web.retrieve({ ...key, select: ['primarycontactid/$ref'] });
  equal([reference.id, reference.collection], [one, 'contacts']);
});

feature('retrieve unless unchanged', async () => {
  const made = await account('Dwa etag');
  const told = await web.retrieve({ collection: 'accounts', key: made, select: ['name'] });
  equal(await web.retrieve({ collection: 'accounts', key: made, select: ['name'], ifnonematch: told['@odata.etag'] }), undefined);
});

feature('update', async () => {
  const made = await contact('Dwa update');
  equal(await web.update({ collection: 'contacts', key: made, data: { firstname: 'new', birthdate: null } }), true);
  equal((await row(`contacts(${made})`)).firstname, 'new');
  const told = await web.update({ collection: 'contacts', key: made, data: { firstname: 'more' }, returnRepresentation: true, select: ['firstname'] });
  equal(told.firstname, 'more');
  equal((await refusal(web.update({ collection: 'contacts', key: NOBODY, data: { firstname: 'x' } }))).status, 404);
});

feature('update and delete of one version only', async () => {
  const made = await contact('Dwa version');
  const key = { collection: 'contacts', key: made };
  const old = (await row(`contacts(${made})`))['@odata.etag'];
  equal(await web.update({ ...key, data: { firstname: 'a' }, ifmatch: old }), true);
  equal(await web.update({ ...key, data: { firstname: 'b' }, ifmatch: old }), false);
  equal(await web.deleteRecord({ ...key, ifmatch: old }), false);
  equal(await web.deleteRecord({ ...key, ifmatch: (await row(`contacts(${made})`))['@odata.etag'] }), true);
});

feature('updateSingleProperty', async () => {
  const made = await contact('Dwa single');
  await web.updateSingleProperty({ collection: 'contacts', key: made, fieldValuePair: { jobtitle: 'Chief' } });
  equal((await row(`contacts(${made})`)).jobtitle, 'Chief');
});

feature('deleteRecord, and of one column', async () => {
  const made = await contact('Dwa delete', { jobtitle: 'x' });
  equal(await web.deleteRecord({ collection: 'contacts', key: made, property: 'jobtitle' }), true);
  equal((await row(`contacts(${made})?$select=jobtitle`)).jobtitle, null);
  equal(await web.deleteRecord({ collection: 'contacts', key: made }), true);
  equal(await gone(`contacts(${made})`), true);
});

feature('upsert', async () => {
  const key = `${SUFFIX}-0000-4000-8000-0000000000d1`;
  const request = { collection: 'contacts', key, data: { lastname: `Dwa upsert ${SUFFIX}`, firstname: 'new' } };
  equal(await web.upsert({ ...request, ifmatch: '*' }), null);
  equal(await web.upsert(request), key);
  equal(await web.upsert({ ...request, ifnonematch: '*' }), null);
  equal((await web.upsert({ ...request, data: { firstname: 'b' }, returnRepresentation: true })).firstname, 'b');
});

feature('by alternate key', async () => {
  const { logical, set } = await madeTable('DwaKey', text('new_Code'));
  const made = await call('POST', `EntityDefinitions(LogicalName='${logical}')/Keys`, { SchemaName: `new_DwaCode${SUFFIX}`, KeyAttributes: ['new_code'] });
  equal(made.status, 204);
  const key = { collection: set, key: "new_code='A 1'" };
  await web.upsert({ ...key, data: { new_name: 'first' } });
  equal((await web.retrieve({ ...key, select: ['new_name'] })).new_name, 'first');
  equal(await web.update({ ...key, data: { new_name: 'second' } }), true);
  equal(await web.deleteRecord(key), true);
  equal((await rows(set)).length, 0);
});

feature('retrieveMultiple: filter, orderBy, top, count', async () => {
  await group('Dwa several', 4);
  const told = await web.retrieveMultiple({ collection: 'contacts', select: ['firstname'], filter: of('Dwa several'), orderBy: ['firstname desc'], top: 3, count: true });
  equal(told.value.map((one) => one.firstname), ['3', '2', '1']);
  equal(told.oDataCount, 4);
});

feature('retrieveMultiple: an apostrophe, an ampersand, a percent sign', async () => {
  const name = `O'Neill & Söhne + Co 100% ${SUFFIX}`;
  await call('POST', 'accounts', { name });
  const told = await web.retrieveMultiple({ collection: 'accounts', select: ['name'], filter: `name eq '${name.replace("'", "''")}'` });
  equal(told.value.map((one) => one.name), [name]);
});

feature('retrieveMultiple in pages, retrieveAll, countAll', async () => {
  await group('Dwa pages', 5);
  const request = { collection: 'contacts', select: ['firstname'], filter: of('Dwa pages'), orderBy: ['firstname'], maxPageSize: 2 };
  const first = await web.retrieveMultiple(request);
  equal(first.value.length, 2);
  equal((await web.retrieveMultiple(request, first.oDataNextLink)).value.map((one) => one.firstname), ['2', '3']);
  equal((await web.retrieveAll(request)).value.map((one) => one.firstname), ['0', '1', '2', '3', '4']);
  equal(await web.countAll(request), 5);
});

feature('retrieveMultiple with expanded collections, nested', async () => {
  const parent = await account('Dwa nested');
  await group('Dwa nested', 3, { 'parentcustomerid_account@odata.bind': `/accounts(${parent})` });
  const told = await web.retrieveMultiple({
    collection: 'accounts',
    select: ['name'],
    filter: `accountid eq ${parent}`,
    expand: [{ property: 'contact_customer_accounts', select: ['firstname'], filter: "firstname ne '0'", orderBy: ['firstname desc'], top: 1 }],
  });
  equal(told.value[0].contact_customer_accounts.map((one) => one.firstname), ['2']);
});

feature('retrieveMultiple with a URL so long that it becomes a batch', async () => {
  const ids = await group('Dwa long', 2);
  const filter = Array.from({ length: 60 }, (_, number) => `contactid eq ${ids[number % 2]}`).join(' or ');
  equal((await web.retrieveMultiple({ collection: 'contacts', select: ['firstname'], filter })).value.length, 2);
});

feature('retrieveMultiple with apply', async () => {
  await group('Dwa apply', 3, { numberofchildren: 2 });
  const told = await web.retrieveMultiple({ collection: 'contacts', apply: `filter(${of('Dwa apply')})/groupby((lastname),aggregate($count as n,numberofchildren with sum as s))` });
  equal([told.value[0].n, told.value[0].s], [3, 6]);
});

feature('retrieveMultiple of a saved query', async () => {
  const views = await rows("savedqueries?$select=savedqueryid&$filter=returnedtypecode eq 'contact' and querytype eq 0");
  const told = await web.retrieveMultiple({ collection: 'contacts', savedQuery: views[0].savedqueryid });
  equal(Array.isArray(told.value), true);
});

feature('retrieveMultiple of changes', async () => {
  const { set } = await madeTable('DwaChange');
  const kept = await web.create({ collection: set, data: { new_name: 'kept' } });
  const doomed = await web.create({ collection: set, data: { new_name: 'doomed' } });
  const all = await web.retrieveAll({ collection: set, select: ['new_name'], trackChanges: true, maxPageSize: 1 });
  equal(all.value.length, 2);
  await web.update({ collection: set, key: kept, data: { new_name: 'changed' } });
  await web.deleteRecord({ collection: set, key: doomed });
  const changes = await web.retrieveMultiple({ collection: set, trackChanges: true }, all.oDataDeltaLink);
  equal(changes.value.map((one) => one.new_name ?? [one.id, one.reason]), ['changed', [doomed, 'deleted']]);
  equal((await web.retrieveMultiple({ collection: set }, changes.oDataDeltaLink)).value, []);
});

feature('count', async () => {
  await group('Dwa count', 3);
  equal(await web.count({ collection: 'contacts', filter: of('Dwa count') }), 3);
  equal((await web.count({ collection: 'contacts' })) >= 3, true);
});

const fetchXml = (name, more = '') =>
  `<fetch mapping="logical"${more}><entity name="contact"><attribute name="firstname"/><attribute name="statecode"/><order attribute="firstname"/><filter><condition attribute="lastname" operator="eq" value="${name} ${SUFFIX}"/></filter></entity></fetch>`;

feature('fetch', async () => {
  await group('Dwa fetch', 3);
  const told = await web.fetch({ collection: 'contacts', fetchXml: fetchXml('Dwa fetch'), includeAnnotations: '*' });
  equal(told.value.map((one) => [one.firstname, one.statecode_Formatted]), [['0', 'Active'], ['1', 'Active'], ['2', 'Active']]);
});

feature('fetch in pages, and fetchAll', async () => {
  await group('Dwa cookie', 5);
  const request = { collection: 'contacts', fetchXml: fetchXml('Dwa cookie', ' count="2"'), includeAnnotations: '*' };
  const first = await web.fetch(request);
  equal([first.value.length, first.PagingInfo.nextPage], [2, 2]);
  const second = await web.fetch({ ...request, pageNumber: first.PagingInfo.nextPage, pagingCookie: first.PagingInfo.cookie });
  equal(second.value.map((one) => one.firstname), ['2', '3']);
  equal((await web.fetchAll({ ...request })).value.map((one) => one.firstname), ['0', '1', '2', '3', '4']);
});

feature('associate and disassociate', async () => {
  const parent = await account('Dwa relate');
  const one = await contact('Dwa relate', { firstname: 'x' });
  const request = { collection: 'accounts', primaryKey: parent, relationshipName: 'contact_customer_accounts', relatedCollection: 'contacts', relatedKey: one };
  await web.associate(request);
  equal((await row(`contacts(${one})`))._parentcustomerid_value, parent);
  await web.disassociate(request);
  equal((await row(`contacts(${one})`))._parentcustomerid_value, null);
});

feature('associate many to many', async () => {
  const made = await call('POST', 'lists', { listname: `Dwa ${SUFFIX}`, createdfromcode: 2, type: false });
  const list = /\(([^()]*)\)$/.exec(made.headers['odata-entityid'])[1];
  const one = await contact('Dwa member', { firstname: 'm' });
  const request = { collection: 'lists', primaryKey: list, relationshipName: 'listcontact_association', relatedCollection: 'contacts', relatedKey: one };
  await web.associate(request);
  equal((await rows(`lists(${list})/listcontact_association?$select=firstname`)).map((told) => told.firstname), ['m']);
  await web.disassociate(request);
  equal(await rows(`lists(${list})/listcontact_association?$select=firstname`), []);
});

feature('associateSingleValued and disassociateSingleValued', async () => {
  const parent = await account('Dwa single');
  const one = await contact('Dwa single one');
  const request = { collection: 'accounts', primaryKey: parent, navigationProperty: 'primarycontactid' };
  await web.associateSingleValued({ ...request, relatedCollection: 'contacts', relatedKey: one });
  equal((await row(`accounts(${parent})`))._primarycontactid_value, one);
  await web.disassociateSingleValued(request);
  equal((await row(`accounts(${parent})`))._primarycontactid_value, null);
});

feature('callFunction', async () => {
  equal((await web.callFunction('WhoAmI')).UserId.length, 36);
  equal(/^9\./.test((await web.callFunction({ name: 'RetrieveVersion' })).Version), true);
  const told = await web.callFunction({ name: 'RetrieveTotalRecordCount', parameters: { EntityNames: ['contact'] } });
  equal(told.EntityRecordCountCollection.Keys, ['contact']);
});

feature('callAction, unbound and bound', async () => {
  await web.callAction({ actionName: 'PublishAllXml' });
  const made = await call('POST', 'queues', { name: `Dwa ${SUFFIX}` });
  const queue = /\(([^()]*)\)$/.exec(made.headers['odata-entityid'])[1];
  const task = await web.create({ collection: 'tasks', data: { subject: `Dwa ${SUFFIX}` } });
  const action = { Target: { '@odata.type': 'Microsoft.Dynamics.CRM.task', activityid: task } };
  const told = await web.callAction({ collection: 'queues', key: queue, actionName: 'Microsoft.Dynamics.CRM.AddToQueue', action });
  equal((await row(`queueitems(${told.QueueItemId})`))._objectid_value, task);
});

feature('CreateMultiple as an action', async () => {
  const target = (firstname) => ({ '@odata.type': 'Microsoft.Dynamics.CRM.contact', lastname: `Dwa multiple ${SUFFIX}`, firstname });
  const told = await web.callAction({ collection: 'contacts', actionName: 'Microsoft.Dynamics.CRM.CreateMultiple', action: { Targets: [target('0'), target('1')] } });
  equal([told.Ids.length, await firstnames('Dwa multiple')], [2, ['0', '1']]);
});

feature('impersonate', async () => {
  const me = (await web.callFunction('WhoAmI')).UserId;
  const other = new DynamicsWebApi({ ...config, impersonate: me });
  equal((await other.callFunction('WhoAmI')).UserId, me);
  equal((await refusal(web.retrieveMultiple({ collection: 'contacts', top: 1, impersonate: NOBODY }))).status >= 400, true);
});

feature('useEntityNames', async () => {
  const named = new DynamicsWebApi({ ...config, useEntityNames: true });
  const parent = await account('Dwa names');
  const data = { lastname: `Dwa names ${SUFFIX}`, 'parentcustomerid_account@odata.bind': `account(${parent})` };
  const made = await named.create({ collection: 'contact', data });
  equal((await named.retrieve({ collection: 'contact', key: made })).contactid, made);
});

feature('other versions of the API', async () => {
  for (const version of ['9.0', '9.1']) {
    const old = new DynamicsWebApi({ ...config, dataApi: { version } });
    const made = await old.create({ collection: 'contacts', data: { lastname: `Dwa ${version} ${SUFFIX}` } });
    const told = await old.retrieveAll({ collection: 'contacts', filter: `contactid eq ${made}`, select: ['lastname'], maxPageSize: 1 });
    equal(told.value.length, 1);
  }
});

feature('uploadFile and downloadFile', async () => {
  const { set } = await madeTable('DwaFile', { '@odata.type': 'Microsoft.Dynamics.CRM.FileAttributeMetadata', SchemaName: 'new_Document', MaxSizeInKB: 30720 });
  const made = await web.create({ collection: set, data: { new_name: 'n' } });
  const key = { collection: set, key: made, property: 'new_document' };
  for (const size of [5, 9 << 20]) {
    const data = Buffer.alloc(size, 'postroom');
    await web.uploadFile({ ...key, fileName: 'a.bin', data });
    const told = await web.downloadFile(key);
    equal([told.fileName, told.fileSize, Buffer.compare(told.data, data)], ['a.bin', size, 0]);
  }
  await web.deleteRecord(key);
  equal((await row(`${set}(${made})?$select=new_document`)).new_document, null);
});

feature('errors', async () => {
  const error = await refusal(web.create({ collection: 'contacts', data: { nosuchcolumn: 1 } }));
  equal([error.status, /nosuchcolumn/.test(error.message), typeof error.code], [400, true, 'string']);
  const stranger = new DynamicsWebApi({ ...config, onTokenRefresh: async () => 'wrong' });
  equal((await refusal(stranger.retrieveMultiple({ collection: 'contacts', top: 1 }))).status, 401);
  equal((await refusal(web.retrieveMultiple({ collection: 'nosuchthings' }))).status, 404);
});

await main();
