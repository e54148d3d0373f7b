//! The real function of OCI on its socket, and against the emulator of OCI.

mod agent;
mod closed_loop;
mod concurrent;
mod defects;
mod emulators;
mod function;
mod host;
mod provision;
mod refusals;
mod sizes;
mod stage;
mod stamps;
mod story;
mod tenancy;
