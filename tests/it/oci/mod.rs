//! The real function of OCI on its socket, and against the emulator of OCI.

mod agent;
mod closed_loop;
mod concurrent;
mod defects;
mod emulators;
mod function;
mod guards;
mod host;
mod permissions;
mod provision;
mod readings;
mod refusals;
mod sizes;
mod stage;
mod stamps;
mod story;
mod tenancy;
