//! Keeps a host answering when one invocation panics, and its log free of what the panic message quotes.
//!
//! A release build aborts on a panic instead, which keeps the packages small: the platform starts a new process for the next
//! event. Either way the event is not lost, because the platform delivers it again.

use std::any::Any;
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::pin::pin;
use std::task::Poll;

/// The error message of an invocation that panics.
pub const PANIC_MESSAGE: &str =
    "stepladder has a defect and stopped at this input: report it, with the place that the log names";

/// An invocation panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// The result of work, unless it panics. Nothing of the work is used after a panic.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Err(panic) => Poll::Ready(Err(forget(panic))),
    })
    .await
}

fn forget(_panic: Box<dyn Any + Send>) -> Panicked {
    Panicked
}

/// Makes panics print their place alone. The message may quote a payload, a policy with the address of a webhook, or a
/// response.
pub fn print_only_places() {
    set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // A closed log must not turn into another panic.
        let _ = writeln!(io::stderr(), "stepladder panicked at {place}: report this as a defect");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_and_everything_else_goes_through() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let late = async {
            tokio::task::yield_now().await;
            panic!("at the second poll");
        };
        assert_eq!(caught::<()>(late).await, Err(Panicked));
    }
}
