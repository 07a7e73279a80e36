//! Definitions on this wire: `md:EntityMetadata` and its parts, to and from [`postroom_core::metadata`].
//!
//! Members and their order are those of the contracts of 9.2; those that came later are left out for older servers, as the
//! captures of a 6.x server show. What our definitions do not say gets the platform's usual value.
//! Source: the contracts' `xrm/2011/Metadata` schema, captured answers of 2014.

mod order;
mod read;
mod write;

pub use read::{column, many_to_many, one_to_many, option_set, relations, table};
pub use write::{
    Parts, write_column, write_many_to_many, write_one_to_many, write_option_set, write_table, write_tables,
};
