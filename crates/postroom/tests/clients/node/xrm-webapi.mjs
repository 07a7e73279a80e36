// xrm-webapi, its Node half.

import client from 'xrm-webapi/dist/xrm-webapi-node.js';
import { main } from './feature.mjs';
import { exercise } from './webapi-features.mjs';

exercise(client, { includeFormattedValues: true, includeLookupLogicalNames: true, includeAssociatedNavigationProperties: true });

await main();
