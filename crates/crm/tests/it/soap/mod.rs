//! The SOAP make against the embedded CRM's SOAP door, over HTTP, and against what real servers said and took.

mod calls;
mod captures;
mod conformance;
mod faults;
mod sign_in;
