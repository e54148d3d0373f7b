//! Fuzzes `parse`, which must return alarms or an error, and never panic.
//!
//! The samples are the seeds. libFuzzer writes new inputs to the first folder, so it comes before `events`:
//!
//! ```text
//! mkdir -p fuzz/corpus/parse
//! cargo +nightly fuzz run parse fuzz/corpus/parse events -- -max_len=65536 -max_total_time=600
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use stepladder::source::{MAX_TARGETS, parse};

fuzz_target!(|body: &[u8]| {
    match parse(body) {
        Ok(event) => {
            let has_content = !event.alarms.is_empty() || event.settled.is_some() || event.tick;
            assert!(has_content, "a valid payload contains an alarm, a settled target or a tick");
            let targets: usize = event.alarms.iter().map(|alarm| alarm.targets.len()).sum();
            assert!(targets <= MAX_TARGETS, "{targets} targets");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
});
