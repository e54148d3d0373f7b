//! The real function and command against real parts: `cargo lambda watch`, moto and LocalStack.

mod chart;
mod closed_loop;
mod emulators;
mod forwarder;
mod function;
mod horizontal;
mod narrator;
mod refusals;
mod repeat;
mod story;
