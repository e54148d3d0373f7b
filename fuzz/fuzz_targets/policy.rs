//! Fuzzes `policy` of `checks.rs`. See the README of libFuzzer for its options:
//!
//! ```text
//! mkdir -p fuzz/corpus/policy
//! cargo +nightly fuzz run policy fuzz/corpus/policy -- -max_len=65536 -max_total_time=600
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
#[allow(dead_code, reason = "each target calls one of them")]
mod checks;

fuzz_target!(|body: &[u8]| checks::policy(body));
