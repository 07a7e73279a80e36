//! What every make of a port must do, whatever stands behind it.
//!
//! A suite is a list of cases. Each case makes rows of its own and looks at no others, so a make may hand out one
//! instance for all cases, full or empty. All cases are run; the panic at the end names each that failed and why.

pub mod crm;
pub mod inbox;

use std::fmt;

pub use crm::crm;
pub use inbox::inbox;

/// What one case found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub case: &'static str,
    pub text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.text)
    }
}

/// A case's answer: nothing, or what it found wrong.
pub(crate) type Verdict = Result<(), String>;

/// Ends the case with a text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use ensure;

/// A list of async functions as named cases.
macro_rules! cases {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        vec![$((stringify!($case), (|bench| Box::pin($module::$case(bench))) as Run)),+]
    };
}
pub(crate) use cases;

#[track_caller]
fn report(port: &str, failures: &[Failure]) {
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "{} cases of the {port} suite failed:\n{}", texts.len(), texts.join("\n"));
}
