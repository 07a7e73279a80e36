//! The SOAP service's messages: captures of real servers read and are written with the same elements in the same order,
//! and what is written reads as it was.

mod captures;
mod doors;
mod dotdigital;
mod metadata;
mod query;
mod reply;
mod values;
mod xml;
