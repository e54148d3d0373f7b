//! The real function and command against real parts: `cargo lambda watch`, moto and LocalStack.

mod batch;
mod emulators;
mod function;
mod horizontal;
mod refusals;
mod repeat;
mod vertical;
