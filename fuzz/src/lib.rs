//! What the fuzzer calls: one function for each parser, from bytes to nothing. Each checks what must hold for any input;
//! that nothing panics, hangs or grows without bound is the fuzzer's business.

pub mod formats;
pub mod rules;
