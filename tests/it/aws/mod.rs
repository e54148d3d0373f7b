//! The real function and command against real parts: `cargo lambda watch`, moto and LocalStack.

mod batch;
mod closed_loop;
mod emulators;
mod forwarder;
mod function;
mod guards;
mod horizontal;
mod notify;
mod parameter;
mod refusals;
mod repeat;
mod story;
mod vertical;
