//! What the program says: results to stdout, everything else to stderr, and the exit code.
//!
//! The rules are those of the product conventions, section 2. Nothing here knows a command.

mod error;
mod exit;
mod output;
mod progress;
mod text;

pub use error::CliError;
pub use exit::Exit;
pub use output::{Column, Form, Output, Style};
pub use progress::Progress;
pub use text::one_line;
