//! `/api/v1/marketing`: accounts of the marketing service, runs, campaigns and sends, mappings, lists, forms, and who gets no mail.

pub(super) mod accounts;
pub(super) mod campaigns;
pub(super) mod forms;
pub(super) mod lists;
pub(super) mod mapping;
pub(super) mod singles;
pub(super) mod suppressions;
pub(super) mod sync;
