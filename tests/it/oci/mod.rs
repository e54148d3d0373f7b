//! The real function of OCI on its socket, and against the emulator of OCI.

mod concurrent;
mod defects;
mod emulators;
mod function;
mod host;
mod provision;
mod refusals;
mod sizes;
mod stamps;
mod story;
mod tenancy;
