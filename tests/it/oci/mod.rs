//! The real function of OCI on its socket.

mod function;
mod host;
mod provision;
