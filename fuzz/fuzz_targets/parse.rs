//! Fuzzes `parse` of `checks.rs`. The samples are the seeds. libFuzzer writes new inputs to the first folder, so it comes
//! before `events`:
//!
//! ```text
//! mkdir -p fuzz/corpus/parse
//! cargo +nightly fuzz run parse fuzz/corpus/parse events -- -max_len=65536 -max_total_time=600
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks.rs"]
#[allow(dead_code, reason = "each target calls one of them")]
mod checks;

fuzz_target!(|body: &[u8]| checks::parse(body));
