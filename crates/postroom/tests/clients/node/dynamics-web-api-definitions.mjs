// DynamicsWebApi: definitions of tables, columns, relationships and choices, read and written.

import { DynamicsWebApi } from 'dynamics-web-api';
import { SUFFIX, TOKEN, URL, equal, feature, gone, label, madeTable, refusal, row, table, text } from './feature.mjs';

const web = new DynamicsWebApi({ serverUrl: URL, onTokenRefresh: async () => TOKEN, dataApi: { version: '9.2' } });

const TYPE = 'Microsoft.Dynamics.CRM.';
const STRING = `${TYPE}StringAttributeMetadata`;

feature('createEntity, updateEntity', async () => {
  const name = `new_DwdTable${SUFFIX}`;
  const id = await web.createEntity({ data: table(name) });
  equal(id.length, 36);
  const told = await web.retrieveEntity({ key: id });
  equal([told.LogicalName, told.PrimaryNameAttribute], [name.toLowerCase(), 'new_name']);
  told.DisplayName.LocalizedLabels[0].Label = 'Renamed';
  await web.updateEntity({ data: told, mergeLabels: true });
  const again = await web.retrieveEntity({ key: `LogicalName='${name.toLowerCase()}'`, select: ['DisplayName'] });
  equal(again.DisplayName.UserLocalizedLabel.Label, 'Renamed');
  await web.callAction({ actionName: 'PublishXml', action: { ParameterXml: `<importexportxml><entities><entity>${name.toLowerCase()}</entity></entities></importexportxml>` } });
});

feature('createEntity and have it returned', async () => {
  const told = await web.createEntity({ data: table(`new_DwdBack${SUFFIX}`), returnRepresentation: true });
  equal(told.LogicalName, `new_dwdback${SUFFIX}`);
});

feature('retrieveEntity with its columns', async () => {
  const told = await web.retrieveEntity({
    key: "LogicalName='contact'",
    select: ['SchemaName', 'EntitySetName'],
    expand: [{ property: 'Attributes', select: ['LogicalName'], filter: "LogicalName eq 'firstname'" }],
  });
  equal([told.SchemaName, told.Attributes.map((one) => one.LogicalName)], ['Contact', ['firstname']]);
});

feature('retrieveEntities', async () => {
  const told = await web.retrieveEntities({ select: ['LogicalName', 'EntitySetName'], filter: "LogicalName eq 'email'" });
  equal(told.value.map((one) => one.EntitySetName), ['emails']);
});

feature('createAttribute, updateAttribute', async () => {
  const { id, logical } = await madeTable('DwdColumn');
  const made = await web.createAttribute({ entityKey: id, data: text('new_More') });
  equal(made.length, 36);
  const request = { entityKey: `LogicalName='${logical}'`, attributeKey: "LogicalName='new_more'", castType: STRING };
  const told = await web.retrieveAttribute(request);
  equal([told.MetadataId, told.MaxLength], [made, 100]);
  told.MaxLength = 250;
  await web.updateAttribute({ entityKey: id, data: told, castType: STRING, mergeLabels: true });
  equal((await web.retrieveAttribute({ ...request, attributeKey: made, entityKey: id, select: ['MaxLength'] })).MaxLength, 250);
});

feature('retrieveAttributes, cast to a type, with options', async () => {
  const key = { entityKey: "LogicalName='contact'" };
  const all = await web.retrieveAttributes({ ...key, select: ['LogicalName', 'AttributeType'] });
  equal(all.value.find((one) => one.LogicalName === 'firstname').AttributeType, 'String');
  const cast = await web.retrieveAttributes({ ...key, castType: `${TYPE}PicklistAttributeMetadata`, select: ['LogicalName'], filter: "LogicalName eq 'gendercode'", expand: [{ property: 'OptionSet', select: ['Options'] }] });
  equal(cast.value[0].OptionSet.Options.map((one) => [one.Value, one.Label.UserLocalizedLabel.Label]), [[1, 'Male'], [2, 'Female']]);
});

feature('createRelationship, updateRelationship, deleteRelationship', async () => {
  const { logical } = await madeTable('DwdChild');
  const name = `new_account_${logical}`;
  const data = {
    '@odata.type': `${TYPE}OneToManyRelationshipMetadata`,
    SchemaName: name,
    ReferencedEntity: 'account',
    ReferencedAttribute: 'accountid',
    ReferencingEntity: logical,
    CascadeConfiguration: { Assign: 'NoCascade', Delete: 'RemoveLink', Merge: 'NoCascade', Reparent: 'NoCascade', Share: 'NoCascade', Unshare: 'NoCascade' },
    Lookup: { '@odata.type': `${TYPE}LookupAttributeMetadata`, SchemaName: 'new_AccountId', DisplayName: label('Account'), RequiredLevel: { Value: 'None' } },
  };
  const made = await web.createRelationship({ data });
  const castType = `${TYPE}OneToManyRelationshipMetadata`;
  const told = await web.retrieveRelationship({ key: made, castType });
  equal([told.SchemaName, told.ReferencingAttribute], [name, 'new_accountid']);
  told.CascadeConfiguration.Delete = 'Restrict';
  await web.updateRelationship({ data: told, castType, mergeLabels: true });
  const again = await web.retrieveRelationships({ castType, filter: `SchemaName eq '${name}'`, select: ['CascadeConfiguration'] });
  equal(again.value[0].CascadeConfiguration.Delete, 'Restrict');
  await web.deleteRelationship({ key: made });
  equal(await gone(`RelationshipDefinitions(${made})`), true);
});

feature('global choices: create, retrieve, update, delete', async () => {
  const option = (Value, name) => ({ Value, Label: label(name) });
  const data = {
    '@odata.type': `${TYPE}OptionSetMetadata`,
    Name: `new_dwdchoice${SUFFIX}`,
    IsGlobal: true,
    OptionSetType: 'Picklist',
    DisplayName: label('Choice'),
    Options: [option(100000000, 'One'), option(100000001, 'Two')],
  };
  const made = await web.createGlobalOptionSet({ data });
  const castType = `${TYPE}OptionSetMetadata`;
  const told = await web.retrieveGlobalOptionSet({ key: made, castType });
  equal(told.Options.map((one) => one.Value), [100000000, 100000001]);
  const { Name, MetadataId } = await web.retrieveGlobalOptionSet({ key: `Name='${data.Name}'` });
  equal([Name, MetadataId], [data.Name, made]);
  told.DisplayName.LocalizedLabels[0].Label = 'Renamed';
  await web.updateGlobalOptionSet({ data: told, mergeLabels: true });
  const all = await web.retrieveGlobalOptionSets({ castType, select: ['Name', 'DisplayName'] });
  equal(all.value.find((one) => one.Name === data.Name).DisplayName.UserLocalizedLabel.Label, 'Renamed');
  await web.deleteGlobalOptionSet({ key: made });
  equal(await gone(`GlobalOptionSetDefinitions(${made})`), true);
});

feature('a choice column of a global choice', async () => {
  const { logical, set, id } = await madeTable('DwdUses');
  const option = { Value: 100000000, Label: label('One') };
  const data = { '@odata.type': `${TYPE}OptionSetMetadata`, Name: `new_dwduses${SUFFIX}`, IsGlobal: true, OptionSetType: 'Picklist', DisplayName: label('Uses'), Options: [option] };
  const choice = await web.createGlobalOptionSet({ data });
  await web.createAttribute({
    entityKey: id,
    data: {
      '@odata.type': `${TYPE}PicklistAttributeMetadata`,
      SchemaName: 'new_Choice',
      DisplayName: label('Choice'),
      RequiredLevel: { Value: 'None' },
      'GlobalOptionSet@odata.bind': `/GlobalOptionSetDefinitions(${choice})`,
    },
  });
  const made = await web.create({ collection: set, data: { new_name: 'n', new_choice: 100000000 } });
  const told = await web.retrieve({ collection: set, key: made, select: ['new_choice'], includeAnnotations: '*' });
  equal([told.new_choice_Formatted, logical.startsWith('new_')], ['One', true]);
});

feature('retrieveCsdlMetadata', async () => {
  for (const request of [undefined, { addAnnotations: true }]) {
    const told = await web.retrieveCsdlMetadata(request);
    equal([typeof told, told.includes('<EntityType Name="contact"'), told.includes('<EntitySet Name="contacts"')], ['string', true, true]);
  }
});

feature('a definition that is not there', async () => {
  equal((await refusal(web.retrieveEntity({ key: "LogicalName='nosuchtable'" }))).status, 404);
  equal((await row("EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'nosuchtable'")).value, []);
});
