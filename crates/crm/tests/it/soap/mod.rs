//! The SOAP make against the embedded CRM's SOAP door, over HTTP.

mod conformance;
