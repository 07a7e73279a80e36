//! The Web API of Dynamics 2016 (v8) and later: OData 4 JSON over HTTPS.

pub mod auth;
