// DynamicsWebApi: batches and change sets.

import { DynamicsWebApi } from 'dynamics-web-api';
import { NOBODY, SUFFIX, TOKEN, URL, contact, equal, feature, firstnames, gone, group, of, refusal, row } from './feature.mjs';

const web = new DynamicsWebApi({ serverUrl: URL, onTokenRefresh: async () => TOKEN, dataApi: { version: '9.2' } });

feature('batch: reads', async () => {
  const ids = await group('Dwb read', 3);
  web.startBatch();
  web.retrieve({ collection: 'contacts', key: ids[1], select: ['firstname'], includeAnnotations: '*' });
  web.retrieveMultiple({ collection: 'contacts', select: ['firstname'], filter: of('Dwb read'), orderBy: ['firstname desc'], top: 2 });
  web.count({ collection: 'contacts' });
  web.callFunction('WhoAmI');
  const [one, several, count, me] = await web.executeBatch();
  equal([one.firstname, several.value.map((told) => told.firstname)], ['1', ['2', '1']]);
  equal([Number(count) >= 3, me.UserId.length], [true, 36]);
});

feature('batch: a change set of creates, updates, deletes', async () => {
  const there = await contact('Dwb there');
  const doomed = await contact('Dwb doomed');
  web.startBatch();
  web.create({ collection: 'contacts', data: { lastname: `Dwb set ${SUFFIX}`, firstname: 'Zoë' } });
  web.update({ collection: 'contacts', key: there, data: { firstname: 'updated' } });
  web.deleteRecord({ collection: 'contacts', key: doomed });
  const [made, updated, deleted] = await web.executeBatch();
  equal([(await row(`contacts(${made})`)).firstname, updated, deleted], ['Zoë', true, true]);
  equal([(await row(`contacts(${there})`)).firstname, await gone(`contacts(${doomed})`)], ['updated', true]);
});

feature('batch: change sets and reads by turns', async () => {
  web.startBatch();
  web.create({ collection: 'contacts', data: { lastname: `Dwb turns ${SUFFIX}`, firstname: '0' } });
  web.retrieveMultiple({ collection: 'contacts', select: ['firstname'], filter: of('Dwb turns') });
  web.create({ collection: 'contacts', data: { lastname: `Dwb turns ${SUFFIX}`, firstname: '1' } });
  web.retrieveMultiple({ collection: 'contacts', select: ['firstname'], filter: of('Dwb turns') });
  const told = await web.executeBatch();
  equal([told[1].value.length, told[3].value.length], [1, 2]);
});

feature('batch: outside a change set', async () => {
  web.startBatch();
  web.create({ collection: 'contacts', data: { lastname: `Dwb single ${SUFFIX}`, firstname: '0' }, inChangeSet: false });
  web.create({ collection: 'contacts', data: { lastname: `Dwb single ${SUFFIX}`, firstname: '1' }, returnRepresentation: true, inChangeSet: false });
  const [id, represented] = await web.executeBatch();
  equal([id.length, represented.firstname], [36, '1']);
});

feature('batch: one names another by Content-ID', async () => {
  const name = `Dwb refer ${SUFFIX}`;
  web.startBatch();
  web.create({ collection: 'contacts', data: { lastname: name, firstname: 'one' }, contentId: '1' });
  web.create({ collection: 'accounts', data: { name, 'primarycontactid@odata.bind': '$1' }, contentId: '2' });
  web.create({ collection: 'contact_customer_accounts', data: { lastname: name, firstname: 'two' }, contentId: '$2' });
  const [one, parent] = await web.executeBatch();
  equal((await row(`accounts(${parent})`))._primarycontactid_value, one);
  equal(await firstnames('Dwb refer'), ['one', 'two']);
  const told = await row(`accounts(${parent})?$expand=contact_customer_accounts($select=firstname)`);
  equal(told.contact_customer_accounts.map((child) => child.firstname), ['two']);
});

feature('batch: associations', async () => {
  const parent = await web.create({ collection: 'accounts', data: { name: `Dwb relate ${SUFFIX}` } });
  const one = await contact('Dwb relate');
  web.startBatch();
  web.associate({ collection: 'accounts', primaryKey: parent, relationshipName: 'contact_customer_accounts', relatedCollection: 'contacts', relatedKey: one });
  web.associateSingleValued({ collection: 'accounts', primaryKey: parent, navigationProperty: 'primarycontactid', relatedCollection: 'contacts', relatedKey: one });
  await web.executeBatch();
  equal([(await row(`contacts(${one})`))._parentcustomerid_value, (await row(`accounts(${parent})`))._primarycontactid_value], [parent, one]);
});

feature('batch: a change set is all or nothing', async () => {
  web.startBatch();
  web.create({ collection: 'contacts', data: { lastname: `Dwb undone ${SUFFIX}`, firstname: 'x' } });
  web.update({ collection: 'contacts', key: NOBODY, data: { firstname: 'x' } });
  const errors = await refusal(web.executeBatch());
  equal([errors.length, errors[0].status, await firstnames('Dwb undone')], [1, 404, []]);
});

feature('batch: goes on after errors when told to', async () => {
  web.startBatch();
  web.retrieve({ collection: 'contacts', key: NOBODY });
  web.create({ collection: 'contacts', data: { lastname: `Dwb on ${SUFFIX}`, firstname: 'after' }, inChangeSet: false });
  const [error, made] = await web.executeBatch({ continueOnError: true });
  equal([error.status, made.length, await firstnames('Dwb on')], [404, 36, ['after']]);
});

feature('batch: stops at the first error otherwise', async () => {
  web.startBatch();
  web.retrieve({ collection: 'contacts', key: NOBODY });
  web.create({ collection: 'contacts', data: { lastname: `Dwb stop ${SUFFIX}`, firstname: 'after' }, inChangeSet: false });
  const errors = await refusal(web.executeBatch());
  equal([errors.length, errors[0].status, await firstnames('Dwb stop')], [1, 404, []]);
});
